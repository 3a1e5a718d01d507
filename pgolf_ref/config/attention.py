"""What attention does besides its sizes. Zero, "none", false or an empty list switches a technique off."""

from dataclasses import dataclass

from pgolf_ref.config.checks import broken, choices, ranges

PREFIX = "model.attention"
EXCLUSIONS = ("full", "scaled", "cosine")
VALUE_RESIDUALS = ("none", "pair", "sigmoid", "cascade")
GATES = ("none", "bias", "dense", "output", "sparse")
GATE_SOURCES = ("input", "query")


@dataclass(frozen=True, slots=True)
class AttentionConfig:
    """The defaults are the official baseline."""

    q_gain: float = 1.5  # initial gain of each query head, after QK normalisation
    q_gain_last: float = 0.0  # gain of the last head; a straight line leads from the first; 0 = all alike
    qk_norm: bool = True
    rope_base: float = 10_000.0
    rope_bases: tuple[float, ...] = ()  # per block, in turns; none = rope_base for all
    rope_dims: int = 0  # channels of a head that are rotated; 0 = all
    nope_layers: tuple[int, ...] = ()  # blocks without positions
    rope_length: int = 0  # positions that the base is made for; longer rows raise it ("NTK"); 0 = never
    yarn_scale: float = 1.0  # positions are stretched so many times, slow rotations most ("YaRN")
    xsa_last: int = 0  # the last blocks take their own value out of the output (exclusive self-attention)
    xsa_form: str = "full"  # "scaled": a learned share of it; "cosine": the more, the closer output and value are
    value_residual: str = "none"  # values of the first block (pair, sigmoid) or of the one before (cascade) mixed in
    value_residual_init: float = 0.5  # of the weights of "pair" and "cascade"
    x0_value: float = 0.0  # initial scale of the first residual's own values; 0 = none
    value_embedding_layers: tuple[int, ...] = ()  # blocks whose values get an embedding of the token
    value_embedding_dim: int = 128
    gate: str = "none"  # a factor per head, before the output matrix
    gate_window: int = 12  # channels that "output" and "sparse" read
    gate_source: str = "input"  # of "output": the normalised input of the block, or the queries
    gate_scale: float = 1.0  # of the logits of "sparse"
    gate_std: float = 0.005  # of the initial weights of "dense"
    documents: bool = False  # attention ends at the BOS of a document
    max_document: int = 0  # and documents are cut after so many tokens; 0 = never


def problems(a: AttentionConfig) -> list[str]:
    """Every value of the section that is none."""
    sizes = ("xsa_last", "max_document", "rope_length", "rope_dims", "q_gain_last")
    positive = ("rope_base", "rope_bases", "value_embedding_dim", "gate_window", "gate_scale", "gate_std")
    return [
        *ranges(PREFIX, a, {"positive": positive, "0 or more": sizes}),
        *choices(
            PREFIX,
            a,
            {
                "xsa_form": EXCLUSIONS,
                "value_residual": VALUE_RESIDUALS,
                "gate": GATES,
                "gate_source": GATE_SOURCES,
            },
        ),
        *broken([(f"{PREFIX}.yarn_scale must be 1 or more", a.yarn_scale >= 1)]),
    ]


def attention_rules(a: AttentionConfig, head_dim: int, dim: int, layers: int) -> list[tuple[str, bool]]:
    """(what must hold, whether it holds) in a model of `layers` blocks of `dim` channels."""
    rotated = a.rope_dims or head_dim
    return [
        (f"{PREFIX}.rope_dims must be even and at most {head_dim}", rotated % 2 == 0 and rotated <= head_dim),
        (f"{PREFIX}.rope_length needs more than 2 rotated channels", not a.rope_length or rotated > 2),
        (f"{PREFIX}.xsa_last must be at most model.layers", a.xsa_last <= layers),
        (f"{PREFIX}.gate_window must be at most model.dim", a.gate in ("none", "bias", "dense") or a.gate_window <= dim),
        (f"{PREFIX}.max_document needs {PREFIX}.documents", a.documents or not a.max_document),
        (f"{PREFIX}.nope_layers must name blocks", within(a.nope_layers, layers)),
        (f"{PREFIX}.value_embedding_layers must name distinct blocks", distinct(a.value_embedding_layers, layers)),
    ]


def within(numbers: tuple[int, ...], layers: int) -> bool:
    """Whether all are numbers of blocks."""
    return all(0 <= number < layers for number in numbers)


def distinct(numbers: tuple[int, ...], layers: int) -> bool:
    """Whether all are numbers of blocks, and none twice."""
    return within(numbers, layers) and len(set(numbers)) == len(numbers)
