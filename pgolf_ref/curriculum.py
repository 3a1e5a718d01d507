"""The stages of a run: what changes the shape of a forward pass, and when.

Invariant: shapes change at the fractions that `starts` gives and nowhere else, so that all can be compiled before the first step.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from pgolf_ref.config import Config
from pgolf_ref.model.plan import phases


@dataclass(frozen=True, slots=True)
class Stage:
    """Tokens per row and micro-batches per step."""

    length: int
    slots: int


def stage(config: Config, fraction: float) -> Stage:
    """The one at this fraction of the run."""
    c, data = config.curriculum, config.data
    length = _latest(c.lengths, c.length_starts, fraction, data.seq_len)
    return Stage(length, _latest(c.slots, c.slot_starts, fraction, data.slots))


def starts(config: Config) -> list[float]:
    """The fractions of the run at which a stage or a phase of the model's plan begins, in order."""
    c = config.curriculum
    return sorted({0.0, *c.length_starts, *c.slot_starts, *(phase.start for phase in phases(config.model))})


def cut(tokens: Tensor, length: int) -> Tensor:
    """(rows, T) -> (rows * T / length, length): shorter rows with the same tokens; targets are cut in the same way."""
    return tokens.view(-1, length)


def _latest(values: Sequence[int], begins: Sequence[float], fraction: float, default: int) -> int:
    return next((value for value, begin in reversed(list(zip(values, begins, strict=True))) if begin <= fraction), default)
