"""Length, seeds and machine of a training run."""

from dataclasses import dataclass

from pgolf_ref.config.checks import choices, ranges

DTYPES = ("float32", "bfloat16", "float64")
DEVICES = ("auto", "cpu", "cuda")
ATTENTIONS = ("auto", "blockwise", "fa3", "fa2", "flash", "cudnn", "efficient", "math")


@dataclass(frozen=True, slots=True)
class RunConfig:
    """The defaults are the official baseline."""

    steps: int = 20_000
    budget_seconds: float = 600.0  # of training; 0 = no limit
    seed_init: int = 1337
    seed_data: int = 1337
    dtype: str = "float32"  # of activations; parameters are float32, or float64 with "float64"
    device: str = "auto"
    attention: str = "auto"  # the implementation; auto = the fastest that works on the device
    compile: bool = False
    warmup_steps: int = 0  # untimed steps that prime compilation; their effect is undone
    log_every: int = 200
    validate_every: int = 0  # 0 = only at the end
    checkpoint_every: int = 1000  # steps; 0 = none


def problems(run: RunConfig) -> list[str]:
    """Every rule that the section breaks."""
    not_negative = ("budget_seconds", "seed_init", "seed_data", "warmup_steps", "validate_every", "checkpoint_every")
    found = ranges("run", run, {"positive": ("steps", "log_every"), "0 or more": not_negative})
    return found + choices("run", run, {"dtype": DTYPES, "device": DEVICES, "attention": ATTENTIONS})
