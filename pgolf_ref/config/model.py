"""Shape of the transformer: width and depth here, one nested section for each part that has choices of its own."""

import json
from dataclasses import dataclass, field

from pgolf_ref.config import attention, block, recurrence
from pgolf_ref.config.attention import AttentionConfig
from pgolf_ref.config.block import BlockConfig
from pgolf_ref.config.checks import broken, choices, ranges
from pgolf_ref.config.embedding import EmbeddingConfig, HeadConfig
from pgolf_ref.config.recurrence import RecurrenceConfig
from pgolf_ref.config.stated import stated

MATRIX_INITS = ("uniform", "orthogonal")


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """The defaults are the official baseline."""

    vocab_size: int = 1024
    layers: int = 9
    dim: int = 512
    heads: int = 8
    kv_heads: int = 4
    mlp_mult: int = 2
    softcap: float = 30.0  # logits lie in (-softcap, softcap)
    tied: bool = True  # the output projection is the embedding
    embedding_std: float = 0.005
    ternary_group: int = 0  # columns that share a scale where the matrices of blocks are ternary; 0 = real numbers
    matrix_init: str = "uniform"  # of the matrices of blocks that do not start at zero
    attention: AttentionConfig = field(default_factory=AttentionConfig)
    block: BlockConfig = field(default_factory=BlockConfig)
    recurrence: RecurrenceConfig = field(default_factory=RecurrenceConfig)
    embedding: EmbeddingConfig = field(default_factory=EmbeddingConfig)
    head: HeadConfig = field(default_factory=HeadConfig)

    @property
    def head_dim(self) -> int:
        return self.dim // self.heads

    @property
    def stated(self) -> str:
        """JSON of what an artifact says of its model: the values that differ from the defaults."""
        return json.dumps(stated(self))


def problems(model: ModelConfig) -> list[str]:
    """Every value of the section and of its nested sections that is none."""
    positive = ("vocab_size", "layers", "dim", "heads", "kv_heads", "mlp_mult", "softcap", "embedding_std")
    return [
        *ranges("model", model, {"positive": positive, "0 or more": ("ternary_group",)}),
        *broken([("model.vocab_size must be at most 65536 (tokens are stored as uint16)", model.vocab_size <= 65_536)]),
        *choices("model", model, {"matrix_init": MATRIX_INITS}),
        *attention.problems(model.attention),
        *block.problems(model.block),
        *recurrence.problems(model.recurrence),
    ]


def model_rules(model: ModelConfig) -> list[tuple[str, bool]]:
    """(what must hold, whether it holds) between values, those of nested sections included."""
    whole = model.dim % model.heads == 0
    return [
        (f"model.dim ({model.dim}) must be a multiple of model.heads ({model.heads})", whole),
        ("model.heads must be a multiple of model.kv_heads", model.heads % model.kv_heads == 0),
        ("the head dimension model.dim / model.heads must be even", not whole or model.head_dim % 2 == 0),
        (
            "model.embedding.cooccurrence_qk sets real numbers: model.ternary_group must be 0",
            not (model.ternary_group and model.embedding.cooccurrence_qk),
        ),
        *(attention.attention_rules(model.attention, model.head_dim, model.dim, model.layers) if whole else ()),
        *block.block_rules(model.block, model.layers),
        *recurrence.recurrence_rules(model.recurrence, model.layers),
        *_between(model),
    ]


def _between(model: ModelConfig) -> list[tuple[str, bool]]:
    """Rules that tie the nested sections to each other."""
    first_attends = 0 not in model.block.drop_attention
    return [
        (
            "model.attention.value_residual needs the attention of block 0",
            first_attends or model.attention.value_residual == "none",
        ),
        (
            "model.attention.value_embedding_layers must name blocks with attention",
            not set(model.attention.value_embedding_layers) & set(model.block.drop_attention),
        ),
        (
            "model.embedding.cooccurrence_qk needs the attention of block 0",
            first_attends or not model.embedding.cooccurrence_qk,
        ),
    ]
