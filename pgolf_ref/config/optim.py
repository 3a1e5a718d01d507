"""Optimizers, learning rates, schedules, and averages of the weights."""

from dataclasses import dataclass

from pgolf_ref.config.attention import distinct
from pgolf_ref.config.checks import choices, ranges

ORTHOGONALISATIONS = ("quintic", "polar-express")
SCHEDULES = ("fraction", "steps", "iterations")
WARMDOWN_SHAPES = ("linear", "cosine")
MATRIX_ROLES = ("query", "key", "value", "out", "up", "down")
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
    """Learning rates per parameter group; lengths of schedules are fractions of the run unless they say steps."""

    embedding_lr: float = 0.05
    head_lr: float = 0.008
    matrix_lr: float = 0.04
    scalar_lr: float = 0.04
    beta1: float = 0.9
    beta2: float = 0.95
    eps: float = 1e-8
    adam_blocks: tuple[int, ...] = ()  # blocks whose matrices Adam trains in the place of Muon
    adam_roles: tuple[str, ...] = ()  # only those of these roles; none = all
    adam_matrix_lr: float = 0.005
    momentum: float = 0.95
    momentum_start: float = 0.85
    momentum_warmup: float = 0.036
    momentum_low: float = 0.0  # with a cycle: momentum swings between this and `momentum` after its warm-up
    momentum_cycle: float = 0.0  # half a period as a fraction of the run; 0 = no cycle
    newton_schulz_steps: int = 5
    orthogonalisation: str = "quintic"  # or "polar-express"
    banked: bool = True  # matrices of one shape are orthogonalised together; false = one after another
    row_normalised: bool = False  # MuonEq-R: the rows of an update have one norm before it is orthogonalised
    neuron_beta2: float = 0.0  # NorMuon: decay of the mean square of each row's updates; 0 = plain Muon
    matrix_decay: float = 0.0  # decoupled weight decay per group
    embedding_decay: float = 0.0
    head_decay: float = 0.0
    scalar_decay: float = 0.0
    cautious_decay: bool = False  # decay only where the update has the sign of the weight
    decay_taper: float = 0.0  # over this last part of the run the decay of matrices falls in a straight line
    decay_end: float = 0.5  # to this multiple
    matrix_l1: float = 0.0  # decoupled L1: every weight of a matrix goes lr * this towards zero, and not beyond
    schedule: str = "fraction"  # of the run; "steps": of its steps alone; "iterations": warmdown_steps at the pace so far
    warmdown: float = 0.087
    warmdown_steps: int = 0  # the length of the warm-down in the schedule "iterations"
    warmdown_after: int = 0  # steps before which it does not begin
    warmdown_shape: str = "linear"  # or "cosine"
    plateau: float = 0.0  # the warm-down begins early once the loss of so long a stretch is no lower than that before; 0 = never
    plateau_gain: float = 0.0  # nats by which it has to be lower
    min_lr: float = 0.0  # floor of the warm-down, relative to the full rate
    clip_norm: float = 0.0  # global gradient norm; 0 = no clipping
    qat_from: float = 1.0  # fraction of the run from which matrices are trained as the artifact will round them; 1 = never
    ema_horizon: float = 0.0  # time constant of the weight average; 0 = no average
    ema_every: int = 1  # steps from one update of the average to the next
    swa_tail: float = 0.0  # last part of the run from which snapshots are averaged; 0 = none
    swa_every: float = 0.01  # from one snapshot to the next
    swa_last: int = 0  # only the latest snapshots count (LAWA); 0 = all
    ema_share: float = 0.5  # of a blend of both averages


def problems(optim: OptimConfig) -> list[str]:
    """Every value of the section that is none."""
    rates = ("embedding_lr", "head_lr", "matrix_lr", "scalar_lr", "adam_matrix_lr", "clip_norm", "matrix_l1", "plateau_gain")
    decays = ("matrix_decay", "embedding_decay", "head_decay", "scalar_decay")
    return ranges(
        "optim",
        optim,
        {
            "positive": ("eps", "newton_schulz_steps", "swa_every", "ema_every"),
            "0 or more": (*rates, *decays, "swa_last", "warmdown_steps", "warmdown_after"),
            "in [0, 1)": ("beta1", "beta2", "momentum", "momentum_start", "momentum_low", "ema_horizon", "neuron_beta2", "plateau"),
            "in [0, 1]": (
                *("momentum_warmup", "momentum_cycle", "warmdown", "min_lr", "decay_taper", "decay_end"),
                *("qat_from", "swa_tail", "ema_share"),
            ),
        },
    ) + choices(
        "optim",
        optim,
        {
            "orthogonalisation": ORTHOGONALISATIONS,
            "schedule": SCHEDULES,
            "warmdown_shape": WARMDOWN_SHAPES,
            "adam_roles": MATRIX_ROLES,
        },
    )


def optim_rules(optim: OptimConfig, layers: int) -> list[tuple[str, bool]]:
    """(what must hold, whether it holds) between values, for a model of `layers` blocks."""
    steps = len(POLAR_EXPRESS) if optim.orthogonalisation == "polar-express" else optim.newton_schulz_steps
    by_pace = optim.schedule == "iterations"
    return [
        ("optim.momentum_start must be at most optim.momentum", optim.momentum_start <= optim.momentum),
        ("optim.momentum_low must be at most optim.momentum", optim.momentum_low <= optim.momentum),
        (f"optim.newton_schulz_steps must be at most {steps} with polar-express", optim.newton_schulz_steps <= steps),
        ("optim.adam_blocks must name distinct blocks", distinct(optim.adam_blocks, layers)),
        ("optim.adam_roles needs optim.adam_blocks", not optim.adam_roles or bool(optim.adam_blocks)),
        ("optim.warmdown_steps belongs to optim.schedule=iterations", by_pace or not optim.warmdown_steps),
        ("optim.plateau needs optim.schedule=fraction", optim.schedule == "fraction" or not optim.plateau),
    ]
