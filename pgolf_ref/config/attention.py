"""What attention does besides its sizes."""

from dataclasses import dataclass

from pgolf_ref.config.checks import ranges


@dataclass(frozen=True, slots=True)
class AttentionConfig:
    """The defaults are the official baseline."""

    q_gain: float = 1.5  # initial gain of each query head, after QK normalisation
    rope_base: float = 10_000.0


def problems(attention: AttentionConfig) -> list[str]:
    """Every rule that the section breaks."""
    return ranges("model.attention", attention, {"positive": ("rope_base",)})
