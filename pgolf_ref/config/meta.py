"""Meta-learning: training for weights that test-time training can improve."""

from dataclasses import dataclass

from pgolf_ref.config.checks import choices, ranges

METHODS = ("fomaml", "reptile")
SPLITS = ("halves", "random", "cross")


@dataclass(frozen=True, slots=True)
class MetaConfig:
    """Steps that adapt the matrices on one part of a micro-batch and ask how well they do on another."""

    every: int = 0  # steps; 0 = never
    start: float = 0.0  # fraction of the run
    method: str = "fomaml"
    split: str = "halves"  # of each row; random: of the rows; cross: the next micro-batch is the other part
    inner_lr: float = 0.002
    inner_steps: int = 1
    outer_weight: float = 0.5  # of the loss after the adaptation
    gain_weight: float = 0.0  # of that loss less the one before
    sam_rho: float = 0.0  # length of the ascent before each inner step; 0 = none
    scales_lr: float = 0.0  # of a learned multiple of inner_lr for every matrix (MetaSGD); 0 = all stay 1
    reptile_lr: float = 0.01


def problems(meta: MetaConfig) -> list[str]:
    """Every rule that the section breaks."""
    not_negative = ("every", "inner_lr", "outer_weight", "gain_weight", "sam_rho", "scales_lr", "reptile_lr")
    return [
        *ranges("meta", meta, {"0 or more": not_negative, "positive": ("inner_steps",), "in [0, 1]": ("start",)}),
        *choices("meta", meta, {"method": METHODS, "split": SPLITS}),
    ]
