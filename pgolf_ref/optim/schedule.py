"""Schedules as functions of the fraction of the run that is over, in steps or in seconds, whichever is further."""

import math

from pgolf_ref.config import OptimConfig


def progress(step: int, steps: int, seconds: float, budget: float) -> float:
    """Fraction of the run in [0, 1]; a budget of 0 seconds is no limit."""
    by_time = seconds / budget if budget > 0 else 0.0
    return min(max(step / steps, by_time), 1.0)


def lr_multiplier(fraction: float, optim: OptimConfig) -> float:
    """1, then over the last `warmdown` of the run a straight line, or half a cosine, down to `min_lr`."""
    remaining = 1.0 - fraction
    if remaining >= optim.warmdown:
        return 1.0
    left = remaining / optim.warmdown
    if optim.warmdown_shape == "cosine":
        left = 0.5 - 0.5 * math.cos(math.pi * left)
    return optim.min_lr + (1.0 - optim.min_lr) * left


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
