"""How the artifact is scored, and what is learnt from tokens once they are scored."""

from dataclasses import dataclass

from pgolf_ref.config.checks import ranges


@dataclass(frozen=True, slots=True)
class EvaluateConfig:
    """Windows over the validation tokens."""

    stride: int = 1024  # new targets per window; data.seq_len = disjoint chunks, less = sliding
    batch_windows: int = 32
    budget_seconds: float = 600.0


@dataclass(frozen=True, slots=True)
class TTTConfig:
    """Score-first test-time training: each chunk is scored, then trained on."""

    epochs: int = 0  # 0 = no test-time training
    lr: float = 0.002
    momentum: float = 0.9
    clip_norm: float = 1.0
    hash_rows: int = 0  # of a bigram table of zeros that test-time training alone fills; 0 = none
    chunk_tokens: int = 32_768
    batch_rows: int = 16


def problems(evaluate: EvaluateConfig) -> list[str]:
    """Every rule that the section breaks."""
    return ranges("evaluate", evaluate, {"positive": ("stride", "batch_windows", "budget_seconds")})


def ttt_problems(ttt: TTTConfig) -> list[str]:
    """Every rule that the section breaks."""
    return ranges(
        "ttt",
        ttt,
        {
            "positive": ("chunk_tokens", "batch_rows"),
            "0 or more": ("epochs", "lr", "clip_norm"),
            "in [0, 1)": ("momentum",),
        },
    )
