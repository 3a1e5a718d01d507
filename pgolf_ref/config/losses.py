"""What training minimises beside the mean negative log-likelihood. The defaults are that mean alone."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LossConfig:
    """Weights of targets, forms of their loss, and auxiliary heads, which the artifact does not hold."""

    word_start_weight: float = 1.0  # of targets that begin a word
    word_start_weight_initial: float = 1.0  # the same at the first step; a straight line leads from it
    word_start_ramp: float = 0.0  # fraction of the run after which the line ends; 0 = no line
    continuation_weight: float = 1.0  # of all other targets
    boundary_boost: float = 0.0  # added to the weight (1) of the first and last target of every word
    position_ramp: float = 1.0  # weight of the last target of a sequence; a straight line leads from 1
    ignored_target: int = -1  # a token that is no target
    focal: float = 0.0  # exponent of (1 - p)
    focal_from: float = 0.0  # fraction of the run from which the exponent holds
    mile: float = 0.0  # exponent of (1 + entropy)
    label_smoothing: float = 0.0
    z_loss: float = 0.0  # weight of the squared log-partition function
    mtp_heads: int = 0  # heads for the tokens after the next one
    mtp_weight: float = 0.3
    next_word_weight: float = 0.0  # of a head for the first token of the next word
    word_start_head_weight: float = 0.0  # of a binary head: does the target begin a word?
    jepa_weight: float = 0.0  # of a head for the hash embedding of the next position


def loss_rules(losses: LossConfig, vocab_size: int, seq_len: int, hash_rows: int) -> list[tuple[str, bool]]:
    """(what must hold, whether it holds)"""
    not_negative = (
        "word_start_weight",
        "word_start_weight_initial",
        "continuation_weight",
        "position_ramp",
        "focal",
        "mile",
        "z_loss",
    )
    weights = ("mtp_weight", "next_word_weight", "word_start_head_weight", "jepa_weight")
    fractions = ("word_start_ramp", "focal_from")
    return [
        *((f"losses.{name} must be 0 or more", getattr(losses, name) >= 0) for name in (*not_negative, *weights)),
        *((f"losses.{name} must be in [0, 1]", 0 <= getattr(losses, name) <= 1) for name in fractions),
        ("losses.boundary_boost must be -1 or more", losses.boundary_boost >= -1),
        ("losses.label_smoothing must be in [0, 1)", 0 <= losses.label_smoothing < 1),
        ("losses.ignored_target must be -1 (none) or a token", -1 <= losses.ignored_target < vocab_size),
        ("losses.mtp_heads must be from 0 to data.seq_len - 1", 0 <= losses.mtp_heads < seq_len),
        (
            "losses.word_start_weight_initial needs losses.word_start_ramp",
            losses.word_start_weight_initial == 1 or losses.word_start_ramp > 0,
        ),
        ("losses.jepa_weight needs the hash embeddings of model.embedding.hash.rows", losses.jepa_weight == 0 or hash_rows > 0),
    ]
