"""How tokens become vectors, and how the last residual becomes logits. Zero, "none" or false switches a technique off."""

from dataclasses import dataclass, field

HASH_LAYOUTS = ("shared", "separate", "columns")
HASH_PLACES = ("before_norm", "after_norm")
SMEARS = ("none", "channel", "token")
PROJECTION_ORDERS = ("after_norm", "before_norm")
EMBEDDING_INITS = ("normal", "svd")
MAX_ORDER, MAX_HEADS = 5, 4  # n-grams and hashes for which there are factors
SOFTCAP_FORMS = ("tanh", "sigmoid", "poly5")


@dataclass(frozen=True, slots=True)
class HashConfig:
    """Embeddings of hashed n-grams, added to the token embedding."""

    rows: int = 0  # of each table; the last one stands for n-grams that reach beyond their context
    dim: int = 128  # columns of a table; a projection leads to the width of the token embedding
    dims: tuple[int, ...] = ()  # columns of each of several separate tables; none = dim for all
    orders: tuple[int, ...] = (2,)  # tokens per n-gram
    heads: int = 1  # independent hashes per order, averaged
    layout: str = "shared"  # orders share one table and are summed, have separate tables, or columns of one table each
    place: str = "before_norm"
    position_conditional: bool = False  # word starts have one half of the rows, other tokens the other
    gate: bool = False  # a learned gate that reads the token embedding
    word_start_boost: bool = False  # a learned factor for tokens that begin a word
    byte_rows: int = 0  # rows of a table of hashed runs of bytes
    byte_span: int = 6  # bytes in such a run, whatever the tokens that hold them


@dataclass(frozen=True, slots=True)
class EmbeddingConfig:
    """The input side."""

    dim: int = 0  # width of the token table; 0 = model.dim, else learned projections lie between the two
    projection: str = "after_norm"  # of a narrower or wider table: where the RMS norm stands
    init: str = "normal"  # "svd": from the co-occurrence of training tokens
    cooccurrence_qk: bool = False  # queries and keys of the first block from the co-occurrence of training tokens
    init_tokens: int = 2_000_000  # training tokens that are counted for an initialisation
    isolate: bool = False  # smear, hashes and counts do not look beyond the BOS of their document
    smear: str = "none"  # add the embedding of the token before, by one gate per channel (v1) or per token (v2)
    smear_window: int = 12  # channels that the gate per token reads
    type_dim: int = 0  # width of an embedding of the kind of token
    memory_tokens: int = 0  # learned vectors in the place of the first tokens, whose targets are not trained on
    hash: HashConfig = field(default_factory=HashConfig)


@dataclass(frozen=True, slots=True)
class HeadConfig:
    """The output side."""

    softcap_form: str = "tanh"
    low_rank: int = 0  # rank of a residual map before the output matrix: h + U V h
    bias: bool = False  # a learned bias per token, before the softcap
    unigram_bias: bool = False  # a learned multiple of the log frequency in the training data, after the softcap
    count_bias: bool = False  # a learned multiple of log(1 + occurrences in the context so far), after the softcap
    temperature: bool = False  # logits are divided by a number that is fitted on training tokens once training is over


def embedding_rules(embedding: EmbeddingConfig, head: HeadConfig, dim: int, seq_len: int) -> list[tuple[str, bool]]:
    """(what must hold, whether it holds) of both sides of a model of `dim` channels on rows of `seq_len` tokens."""
    h, e = embedding.hash, embedding
    tables = len(h.orders) if h.layout == "separate" else 1
    sizes = {
        "dim": e.dim,
        "type_dim": e.type_dim,
        "memory_tokens": e.memory_tokens,
        "hash.rows": h.rows,
        "hash.byte_rows": h.byte_rows,
    }
    choices = {
        "embedding.projection": (e.projection, PROJECTION_ORDERS),
        "embedding.init": (e.init, EMBEDDING_INITS),
        "embedding.smear": (e.smear, SMEARS),
        "embedding.hash.layout": (h.layout, HASH_LAYOUTS),
        "embedding.hash.place": (h.place, HASH_PLACES),
        "head.softcap_form": (head.softcap_form, SOFTCAP_FORMS),
    }
    return [
        *((f"model.{name} must be one of {', '.join(known)}", value in known) for name, (value, known) in choices.items()),
        *((f"model.embedding.{name} must be 0 or more", value >= 0) for name, value in sizes.items()),
        (
            "model.embedding.smear_window must be from 1 to the width of the table",
            1 <= e.smear_window <= (e.dim or dim) or e.smear != "token",
        ),
        ("model.embedding.memory_tokens must be less than data.seq_len", e.memory_tokens < seq_len),
        ("model.embedding.init_tokens must be positive", e.init_tokens > 0),
        ("model.embedding.hash.rows must be 0 or at least 4", h.rows == 0 or h.rows >= 4),
        ("model.embedding.hash.byte_rows must be 0 or at least 2", h.byte_rows == 0 or h.byte_rows >= 2),
        ("model.embedding.hash.byte_span must be from 1 to 16", 1 <= h.byte_span <= 16),
        (f"model.embedding.hash.orders must be distinct numbers from 1 to {MAX_ORDER}", _distinct_up_to(h.orders, MAX_ORDER)),
        (f"model.embedding.hash.heads must be from 1 to {MAX_HEADS}", 1 <= h.heads <= MAX_HEADS),
        ("model.embedding.hash.dim must be positive, and at least 1 per order", h.dim >= len(h.orders)),
        (
            "model.embedding.hash.dims must be empty or hold one positive number per separate table",
            h.dims == () or _fits(h.dims, tables),
        ),
        ("model.head.low_rank must be from 0 to model.dim", 0 <= head.low_rank <= dim),
    ]


def _distinct_up_to(numbers: tuple[int, ...], most: int) -> bool:
    return bool(numbers) and len(set(numbers)) == len(numbers) and all(1 <= number <= most for number in numbers)


def _fits(dims: tuple[int, ...], tables: int) -> bool:
    return len(dims) == tables and all(dim > 0 for dim in dims)
