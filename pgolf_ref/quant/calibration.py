"""Where the inputs of a calibration come from. None of the sources can be given tokens: each is made from a training loader or from
the model alone, so that validation tokens cannot reach the statistics.

Invariants: rows are the same for any number of ranks, which share them in turn; calibration ends when its phase has no time left.
"""

import copy
from typing import Protocol

import torch
from torch import Tensor

from pgolf_ref.clock import Phase
from pgolf_ref.config import Config
from pgolf_ref.config.export import rules
from pgolf_ref.data.loader import Loader
from pgolf_ref.data.prefetch import Prefetching
from pgolf_ref.distributed import World
from pgolf_ref.errors import UserError
from pgolf_ref.model.gpt import GPT
from pgolf_ref.quant.artifact import quantised_matrices
from pgolf_ref.quant.made_text import GeneratedText, GibbsText, RandomTokens
from pgolf_ref.quant.routes import Form, method, route
from pgolf_ref.quant.statistics import Collector, InputStatistics, PairedCollector
from pgolf_ref.registry import registry

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


def calibrate(model: GPT, source: Source, config: Config, phase: Phase, world: World) -> dict[str, InputStatistics]:
    """Statistics of the inputs of every matrix that is stored as integers, by the name of its parameter."""
    if not config.export.calibrates:
        return {}
    if world.agree(phase.remaining) == 0:
        raise UserError("no time is left for calibration: give it some of the training budget with export.reserve_seconds")
    names = wanted(model, config)
    found = _collected(Collector(model, names), source, config, phase, world)
    for _ in range(config.export.qronos_passes if "qronos" in {rule.value for rule in rules(config.export.rounding)} else 0):
        if world.agree(phase.remaining) > 0:
            found = _collected(PairedCollector(model, _rounded(model, config, found), names), source, config, phase, world)
    return found


def _collected(
    collector: Collector | PairedCollector, source: Source, config: Config, phase: Phase, world: World
) -> dict[str, InputStatistics]:
    """Over the rows of the calibration, as far as the time goes and at least over the first."""
    rows = config.export.calibration_rows
    per_pass = max(1, min(PASS_TOKENS // config.data.seq_len, rows // world.size))
    for first in range(0, rows, per_pass * world.size):
        if first and world.agree(phase.remaining) == 0:
            break
        mine = first + world.rank * per_pass
        # A rank without a share of the last pass takes part with a weight of 0, so that all know the same matrices.
        tokens = source.rows(mine if mine < rows else 0, max(1, min(per_pass, rows - mine)))
        collector.count(tokens.to(world.device), 1.0 if mine < rows else 0.0)
    return collector.statistics(world)


def _rounded(model: GPT, config: Config, found: dict[str, InputStatistics]) -> GPT:
    """A copy that computes with the weights as these statistics round them."""
    copied = copy.deepcopy(model)
    parameters = dict(copied.named_parameters())
    with torch.no_grad():
        for name, quantised in quantised_matrices(model, config, found).items():
            parameters[name].copy_(quantised.expanded())
    return copied


def wanted(model: GPT, config: Config) -> set[str]:
    """The parameters whose codes depend on inputs."""
    entries = registry(model).items()
    integer = [(name, entry) for name, entry in entries if route(entry, config).form is Form.INTEGER]
    ways = {name: method(entry, config.export) for name, entry in integer}
    return {name for name, way in ways.items() if way.rounding != "nearest" or way.scales == "hessian" or way.awq}
