"""Schedules as functions of the fraction of the run that is over, in steps or in seconds, whichever is further."""

from pgolf_ref.config import OptimConfig


def progress(step: int, steps: int, seconds: float, budget: float) -> float:
    """Fraction of the run in [0, 1]; a budget of 0 seconds is no limit."""
    by_time = seconds / budget if budget > 0 else 0.0
    return min(max(step / steps, by_time), 1.0)


def lr_multiplier(fraction: float, optim: OptimConfig) -> float:
    """1, then over the last `warmdown` of the run a straight line down to `min_lr`."""
    remaining = 1.0 - fraction
    if remaining >= optim.warmdown:
        return 1.0
    return optim.min_lr + (1.0 - optim.min_lr) * remaining / optim.warmdown


def momentum(fraction: float, optim: OptimConfig) -> float:
    """A straight line from `momentum_start` to `momentum` over the first `momentum_warmup` of the run."""
    if fraction >= optim.momentum_warmup:
        return optim.momentum
    return optim.momentum_start + (optim.momentum - optim.momentum_start) * fraction / optim.momentum_warmup
