"""Where the tokens of a calibration come from. None of the sources can be given tokens: each is made from a training loader or from
the model alone, so that validation tokens cannot reach what is measured on them.

Invariants: rows are the same for any number of ranks, which share them in turn; a calibration ends when its phase has no time left.
"""

from collections.abc import Iterator
from typing import Protocol

import torch
from torch import Tensor

from pgolf_ref.clock import Phase
from pgolf_ref.config import Config
from pgolf_ref.data.loader import Loader
from pgolf_ref.data.prefetch import Prefetching
from pgolf_ref.distributed import World
from pgolf_ref.errors import UserError
from pgolf_ref.model.gpt import GPT
from pgolf_ref.quant.made_text import GeneratedText, GibbsText, RandomTokens

PASS_TOKENS = 8192
MADE = {"generated": GeneratedText, "random": RandomTokens, "gibbs": GibbsText}


class Source(Protocol):
    """Rows of calibration tokens by number."""

    def rows(self, first: int, count: int) -> Tensor:
        """int64 (count, T)"""


class TrainingWindows:
    """The inputs of the batches of a training loader."""

    def __init__(self, loader: Loader | Prefetching, config: Config) -> None:
        if not isinstance(loader, Loader | Prefetching):
            raise TypeError(f"calibration takes its tokens from a training loader, not from {type(loader).__name__}")
        self._loader, self._data = loader, config.data

    def rows(self, first: int, count: int) -> Tensor:
        per_batch = self._data.rows
        batches = range(first // per_batch, -(-(first + count) // per_batch))
        joined = torch.cat([self._loader.batch(*divmod(number, self._data.slots))[0] for number in batches])
        start = first - batches.start * per_batch
        return joined[start : start + count]


def source(model: GPT, loader: Loader | Prefetching, config: Config) -> Source:
    """The one that the recipe names."""
    if config.export.calibration == "training":
        return TrainingWindows(loader, config)
    return MADE[config.export.calibration](model, config)


def refuse_without_time(phase: Phase, world: World) -> None:
    """UserError where the phase has no time left before it has read anything; every rank has to ask."""
    if world.agree(phase.remaining) == 0:
        raise UserError("no time is left for calibration: give it some of the training budget with export.reserve_seconds")


def passes(source: Source, config: Config, phase: Phase, world: World) -> Iterator[tuple[Tensor, float]]:
    """This rank's share of the rows of the calibration, as far as the time goes and at least the first: tokens and their weight.

    A rank without a share of the last pass takes part with a weight of 0, so that all make as many passes.
    """
    rows = config.export.calibration_rows
    per_pass = max(1, min(PASS_TOKENS // config.data.seq_len, rows // world.size))
    for first in range(0, rows, per_pass * world.size):
        if first and world.agree(phase.remaining) == 0:
            break
        mine = first + world.rank * per_pass
        tokens = source.rows(mine if mine < rows else 0, max(1, min(per_pass, rows - mine)))
        yield tokens.to(world.device), 1.0 if mine < rows else 0.0
