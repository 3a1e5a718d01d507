"""Learning rates and schedules."""

from dataclasses import dataclass

from pgolf_ref.config.checks import broken, ranges


@dataclass(frozen=True, slots=True)
class OptimConfig:
    """Learning rates per parameter group; lengths of schedules are fractions of the run."""

    embedding_lr: float = 0.05
    head_lr: float = 0.008
    matrix_lr: float = 0.04
    scalar_lr: float = 0.04
    beta1: float = 0.9
    beta2: float = 0.95
    eps: float = 1e-8
    momentum: float = 0.95
    momentum_start: float = 0.85
    momentum_warmup: float = 0.036
    newton_schulz_steps: int = 5
    warmdown: float = 0.087
    min_lr: float = 0.0  # floor of the warm-down, relative to the full rate
    clip_norm: float = 0.0  # global gradient norm; 0 = no clipping
    ema_horizon: float = 0.0  # time constant of the weight average; 0 = no average


def problems(optim: OptimConfig) -> list[str]:
    """Every rule that the section breaks."""
    found = ranges(
        "optim",
        optim,
        {
            "positive": ("eps", "newton_schulz_steps"),
            "0 or more": ("embedding_lr", "head_lr", "matrix_lr", "scalar_lr", "clip_norm"),
            "in [0, 1)": ("beta1", "beta2", "momentum", "momentum_start", "ema_horizon"),
            "in [0, 1]": ("momentum_warmup", "warmdown", "min_lr"),
        },
    )
    order = ("optim.momentum_start must be at most optim.momentum", optim.momentum_start <= optim.momentum)
    return found or broken([order])
