"""How the artifact is scored, and what is learnt from tokens once they are scored.

There is no setting for an illegal order: `illegal.py` names the rule to who asks for one.
"""

from dataclasses import dataclass, field

from pgolf_ref.config.checks import broken, choices, ranges
from pgolf_ref.config.model import ModelConfig
from pgolf_ref.config.rules import EVERYTHING, is_number, unreadable

LAYOUTS = ("stream", "documents", "varlen")
OPTIMIZERS = ("sgd", "adamw")
SCHEDULES = ("constant", "cosine")
LORA_SLOTS = ("query", "key", "value", "attention", "mlp", "head")


@dataclass(frozen=True, slots=True)
class EvaluateConfig:
    """Windows over the validation tokens."""

    stride: int = 1024  # new targets per window; data.seq_len = disjoint chunks, less = sliding
    layout: str = "stream"  # documents: no window looks beyond its document; varlen: those packed into rows of one batch
    batch_windows: int = 32
    budget_seconds: float = 600.0
    tilt_strength: float = 0.0  # nats by which the hint of an n-gram of scored tokens is lifted; 0 = none
    tilt_order: int = 4  # tokens of the n-gram, the hint included
    tilt_least: int = 2  # times that its context must have been seen


@dataclass(frozen=True, slots=True)
class LoRAConfig:
    """Low-rank adapters that each document trains for itself, piece by piece, each after its score."""

    rank: int = 0  # 0 = none
    alpha: float = 0.0  # the product of the factors is scaled by alpha / rank; 0 = by 1
    slots: tuple[str, ...] = ("query", "value", "head")
    chunk_tokens: int = 32
    batch_documents: int = 64
    lr: float = 0.0001
    beta1: float = 0.0
    beta2: float = 0.999
    eps: float = 1e-10
    weight_decay: float = 0.5
    steps: int = 1  # per piece
    seed: int = 1337  # of the factor that does not begin at 0


@dataclass(frozen=True, slots=True)
class TTTConfig:
    """Score-first test-time training: each chunk is scored, then trained on."""

    epochs: int = 0  # 0 = the weights do not change
    lr: float = 0.002
    momentum: float = 0.9
    clip_norm: float = 1.0
    hash_rows: int = 0  # of a bigram table of zeros that test-time training alone fills; 0 = none
    chunk_tokens: int = 32_768
    batch_rows: int = 16
    optimizer: str = "sgd"
    beta2: float = 0.999  # of AdamW, whose beta1 is `momentum`
    weight_decay: float = 0.0  # of AdamW
    schedule: str = "cosine"  # of the learning rate over the chunks
    lr_floor: float = 0.0  # share of lr that the schedule ends at
    lr_scales: tuple[str, ...] = ()  # rules such as "down=3" or "0,1.all=0" (frozen); the last that fits a parameter holds
    phases: tuple[int, ...] = ()  # train only after so many documents, on all before, instead of after each chunk
    lora: LoRAConfig = field(default_factory=LoRAConfig)


def problems(evaluate: EvaluateConfig) -> list[str]:
    """Every rule that the section breaks."""
    positive = ("stride", "batch_windows", "budget_seconds", "tilt_least")
    return [
        *ranges("evaluate", evaluate, {"positive": positive, "0 or more": ("tilt_strength",)}),
        *choices("evaluate", evaluate, {"layout": LAYOUTS}),
        *broken([("evaluate.tilt_order must be at least 2", evaluate.tilt_order >= 2)]),
    ]


def ttt_problems(ttt: TTTConfig) -> list[str]:
    """Every rule that the section breaks."""
    lora = ttt.lora
    not_negative = ("epochs", "lr", "clip_norm", "hash_rows", "weight_decay")
    in_unit = ("momentum", "beta2")
    return [
        *ranges("ttt", ttt, {"positive": ("chunk_tokens", "batch_rows", "phases"), "0 or more": not_negative}),
        *ranges("ttt", ttt, {"in [0, 1)": in_unit, "in [0, 1]": ("lr_floor",)}),
        *choices("ttt", ttt, {"optimizer": OPTIMIZERS, "schedule": SCHEDULES}),
        *ranges("ttt.lora", lora, {"positive": ("chunk_tokens", "batch_documents", "eps", "steps")}),
        *ranges("ttt.lora", lora, {"0 or more": ("rank", "alpha", "lr", "weight_decay", "seed"), "in [0, 1)": ("beta1", "beta2")}),
        *choices("ttt.lora", lora, {"slots": LORA_SLOTS}),
        *broken([("ttt.phases must be increasing", list(ttt.phases) == sorted(set(ttt.phases)))]),
        *unreadable("ttt.lr_scales", ttt.lr_scales, "down=3 or 0,1.all=0", "a number of 0 or more", is_number, EVERYTHING),
    ]


def evaluation_rules(evaluate: EvaluateConfig, ttt: TTTConfig, seq_len: int, model: ModelConfig) -> list[tuple[str, bool]]:
    """Rules that tie these sections to each other and to the model."""
    by_document, packed = evaluate.layout != "stream", evaluate.layout == "varlen"
    lora = ttt.lora.rank > 0
    rope_length = model.attention.rope_length
    fixed = rope_length == 0 or rope_length >= seq_len
    return [
        ("evaluate.stride must be at most data.seq_len", evaluate.stride <= seq_len),
        ("ttt.chunk_tokens must be a multiple of evaluate.stride", not ttt.epochs or ttt.chunk_tokens % evaluate.stride == 0),
        ("evaluate.layout varlen needs model.attention.documents", not packed or model.attention.documents),
        ("evaluate.layout varlen needs model.embedding.isolate", not packed or _isolated(model)),
        ("evaluate.layout varlen needs model.attention.rope_length of 0", not packed or rope_length == 0),
        ("evaluate.layout documents needs model.attention.rope_length of 0 or data.seq_len or more", not by_document or fixed),
        ("ttt.phases need evaluate.layout documents or varlen", not ttt.phases or by_document),
        ("ttt.phases need ttt.epochs of 1 or more", not ttt.phases or ttt.epochs > 0),
        ("ttt.lora needs evaluate.layout documents", not lora or evaluate.layout == "documents"),
        ("ttt.lora with ttt.epochs needs ttt.phases", not lora or not ttt.epochs or bool(ttt.phases)),
        ("ttt.lora.chunk_tokens must be at most data.seq_len", not lora or ttt.lora.chunk_tokens <= seq_len),
        ("evaluate.tilt_strength is not made for ttt.lora", not lora or not evaluate.tilt_strength),
    ]


def _isolated(model: ModelConfig) -> bool:
    """Whether what the model adds to a token comes from its document alone."""
    e = model.embedding
    mixing = e.smear != "none" or e.hash.rows or e.hash.byte_rows or model.head.count_bias
    return not e.memory_tokens and (e.isolate or not mixing)
