"""Schedules: learning rate, momentum and weight decay of a step, by how much of the run is over.

The fraction of a run is that of its steps or of its seconds, whichever is further. The warm-down has three forms:
    fraction    the last `warmdown` of the run
    steps       the last `warmdown` of its steps, whatever the seconds
    iterations  the last `warmdown_steps` steps at the pace so far; if they take longer than the run, its rate is below 1 from the start
"""

import math
from dataclasses import dataclass

from pgolf_ref.config import OptimConfig


@dataclass(frozen=True, slots=True)
class Place:
    """Steps done, of so many, and the fraction of the run that is over."""

    step: int
    steps: int
    fraction: float

    @property
    def steps_left(self) -> float:
        """At the pace so far."""
        return self.step * (1.0 - self.fraction) / self.fraction if self.fraction > 0 else float(self.steps)


@dataclass(frozen=True, slots=True)
class Rates:
    """Multiples of the learning rates and of the decay of matrices, and the momentum."""

    lr: float
    momentum: float
    decay: float


def rates(place: Place, optim: OptimConfig, plateau_since: float | None = None) -> Rates:
    """Of the step that begins at this place."""
    lr = lr_multiplier(place, optim, plateau_since)
    return Rates(lr, momentum(place.fraction, optim), decay_multiplier(place.fraction, optim))


def progress(step: int, steps: int, seconds: float, budget: float) -> float:
    """Fraction of the run in [0, 1]; a budget of 0 seconds is no limit."""
    by_time = seconds / budget if budget > 0 else 0.0
    return min(max(step / steps, by_time), 1.0)


def lr_multiplier(place: Place, optim: OptimConfig, plateau_since: float | None = None) -> float:
    """1, then over the warm-down a straight line to 0, or half a cosine, cut off at `min_lr`.

    `plateau_since` is the fraction of the run from which the loss has not fallen; the warm-down begins there if it is earlier.
    """
    left = _left_of_warmdown(place, optim, plateau_since)
    if left >= 1.0 or place.step < optim.warmdown_after:
        return 1.0
    if optim.warmdown_shape == "cosine":
        left = 0.5 - 0.5 * math.cos(math.pi * left)
    return max(left, optim.min_lr)


def _left_of_warmdown(place: Place, optim: OptimConfig, plateau_since: float | None) -> float:
    """The share of the warm-down that is still to come; 1 or more before it."""
    if optim.schedule == "iterations":
        return place.steps_left / optim.warmdown_steps if optim.warmdown_steps else 1.0
    if optim.schedule == "steps":
        return (1.0 - place.step / place.steps) / optim.warmdown if optim.warmdown else 1.0
    length = optim.warmdown if plateau_since is None else max(optim.warmdown, 1.0 - plateau_since)
    return (1.0 - place.fraction) / length if length else 1.0


def decay_multiplier(fraction: float, optim: OptimConfig) -> float:
    """1, then over the last `decay_taper` of the run a straight line down to `decay_end`."""
    remaining = 1.0 - fraction
    if remaining >= optim.decay_taper:
        return 1.0
    return optim.decay_end + (1.0 - optim.decay_end) * remaining / optim.decay_taper


def momentum(fraction: float, optim: OptimConfig) -> float:
    """A straight line from `momentum_start` to `momentum` over the first `momentum_warmup` of the run, then constant or a triangle wave."""
    if fraction >= optim.momentum_warmup:
        if optim.momentum_cycle == 0:
            return optim.momentum
        phase = (fraction - optim.momentum_warmup) / optim.momentum_cycle % 2.0
        return optim.momentum_low + (optim.momentum - optim.momentum_low) * abs(1.0 - phase)
    return optim.momentum_start + (optim.momentum - optim.momentum_start) * fraction / optim.momentum_warmup
