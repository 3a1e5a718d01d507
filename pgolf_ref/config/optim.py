"""Learning rates and schedules."""

from dataclasses import dataclass

from pgolf_ref.config.checks import broken, choices, ranges

ORTHOGONALISATIONS = ("quintic", "polar-express")
WARMDOWN_SHAPES = ("linear", "cosine")
POLAR_EXPRESS = (
    (8.15655, -22.48329, 15.87877),
    (4.04293, -2.80892, 0.50002),
    (3.89167, -2.77248, 0.50606),
    (3.28575, -2.36813, 0.46449),
    (2.34654, -1.70978, 0.42324),
)
"""Coefficients (a, b, c) of each iteration (Amsel et al. 2025), as the records of 2026-04 use them, cut to five decimals."""


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
    momentum_low: float = 0.0  # with a cycle: momentum swings between this and `momentum` after its warm-up
    momentum_cycle: float = 0.0  # half a period as a fraction of the run; 0 = no cycle
    newton_schulz_steps: int = 5
    orthogonalisation: str = "quintic"  # or "polar-express"
    row_normalised: bool = False  # MuonEq-R: the rows of an update have one norm before it is orthogonalised
    neuron_beta2: float = 0.0  # NorMuon: decay of the mean square of each row's updates; 0 = plain Muon
    matrix_decay: float = 0.0  # decoupled weight decay per group
    embedding_decay: float = 0.0
    head_decay: float = 0.0
    scalar_decay: float = 0.0
    cautious_decay: bool = False  # decay only where the update has the sign of the weight
    decay_taper: float = 0.0  # over this last part of the run the decay of matrices falls in a straight line
    decay_end: float = 0.5  # to this multiple
    warmdown: float = 0.087
    warmdown_shape: str = "linear"  # or "cosine"
    min_lr: float = 0.0  # floor of the warm-down, relative to the full rate
    clip_norm: float = 0.0  # global gradient norm; 0 = no clipping
    ema_horizon: float = 0.0  # time constant of the weight average; 0 = no average
    swa_tail: float = 0.0  # last part of the run from which snapshots are averaged; 0 = none
    swa_every: float = 0.01  # from one snapshot to the next
    swa_last: int = 0  # only the latest snapshots count (LAWA); 0 = all
    ema_share: float = 0.5  # of a blend of both averages


def problems(optim: OptimConfig) -> list[str]:
    """Every rule that the section breaks."""
    found = ranges(
        "optim",
        optim,
        {
            "positive": ("eps", "newton_schulz_steps", "swa_every"),
            "0 or more": (
                *("embedding_lr", "head_lr", "matrix_lr", "scalar_lr", "clip_norm"),
                *("matrix_decay", "embedding_decay", "head_decay", "scalar_decay", "swa_last"),
            ),
            "in [0, 1)": ("beta1", "beta2", "momentum", "momentum_start", "momentum_low", "ema_horizon", "neuron_beta2"),
            "in [0, 1]": (
                "momentum_warmup",
                "momentum_cycle",
                "warmdown",
                "min_lr",
                "decay_taper",
                "decay_end",
                "swa_tail",
                "ema_share",
            ),
        },
    ) + choices("optim", optim, {"orthogonalisation": ORTHOGONALISATIONS, "warmdown_shape": WARMDOWN_SHAPES})
    steps = len(POLAR_EXPRESS) if optim.orthogonalisation == "polar-express" else optim.newton_schulz_steps
    rules = [
        ("optim.momentum_start must be at most optim.momentum", optim.momentum_start <= optim.momentum),
        ("optim.momentum_low must be at most optim.momentum", optim.momentum_low <= optim.momentum),
        (f"optim.newton_schulz_steps must be at most {steps} with polar-express", optim.newton_schulz_steps <= steps),
    ]
    return found or broken(rules)
