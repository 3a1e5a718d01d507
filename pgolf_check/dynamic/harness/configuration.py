"""The variables that shrink a script to seconds, and the probes: training off shows leaks of the evaluation, training on those before it."""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from pgolf_check.dynamic.harness.declared import NOTHING, Declared
from pgolf_check.dynamic.shard import Layout

WINDOW, STRIDE = 256, 128
"""Scripts slide only where the stride is less than the window."""
MOST_SCORINGS = 4
"""How often a loop may score one position: a window of 256 at a stride of 64 that the script states itself."""
STREAM = Layout(tokens=33_793, vocab=1024)
COLLIDING = Layout(tokens=16_897, vocab=8192, modulus=1024)
SHAPE = {
    "NUM_LAYERS": 2,
    "MODEL_DIM": 64,
    "NUM_HEADS": 2,
    "NUM_KV_HEADS": 1,
    "MLP_MULT": 2,
    "BIGRAM_VOCAB_SIZE": 256,
    "BIGRAM_DIM": 16,
}
DEEPER = {"NUM_LAYERS": 6, "NUM_HEADS": 4, "NUM_KV_HEADS": 2}
"""For scripts whose layer indices are fixed."""
LESS = {"ITERATIONS": 2, "TTT_EPOCHS": 2, "TRAIN_BATCH_TOKENS": 2048, "VAL_BATCH_SIZE": 2048}
LESS_STREAM = 8_449
RANKS = {"RANK": 0, "LOCAL_RANK": 0, "WORLD_SIZE": 1, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": 29500}
LENGTHS = {
    "TRAIN_SEQ_LEN": WINDOW, "EVAL_SEQ_LEN": WINDOW, "EVAL_STRIDE": STRIDE, "TRAIN_BATCH_TOKENS": 2048, "VAL_BATCH_SIZE": 8192,
    "VAL_BATCH_TOKENS": 8192, "ITERATIONS": 6, "WARMUP_STEPS": 0, "WARMDOWN_ITERS": 2, "VAL_LOSS_EVERY": 0, "TRAIN_LOG_EVERY": 2,
    "MAX_WALLCLOCK_SECONDS": 600, "TTT_CHUNK_TOKENS": 2048,
}  # fmt: skip
ROLES = (
    (re.compile(r"STRIDE$"), STRIDE),
    (re.compile(r"SEQ_LEN$"), WINDOW),
    (re.compile(r"(BUCKETS|TABLE_SIZE)$"), 4096),
    (re.compile(r"TABLE_BITS$"), 12),
    (re.compile(r"CALIB\w*_BATCHES$"), 1),
    (re.compile(r"(NGRAM|CACHE|GLOBAL_TTT)\w*CHUNK_TOKENS$"), 2048),
    (re.compile(r"TTT\w*_(EPOCHS|PASSES)$|^TTT_STEPS$"), 4),
    (re.compile(r"TTT\w*_BATCH(_SEQS|_SIZE)?$"), 4),
    (re.compile(r"TTT\w*RANK$"), 8),
    (re.compile(r"TTT\w*PREFIX_DOCS$"), 8),
    (re.compile(r"TTT\w*LR$"), 0.01),
    (re.compile(r"EMA_DECAY$"), 0.5),
)
"""Values for variables by the end of their name: small tables, so that contexts collide, few batches, and much test-time training."""
VARIABLE = re.compile(r"""environ(?:\.get\(|\[)\s*["'](\w+)["']""")
OFF = frozenset(("", "0", "0.0", "-1"))
"""Values of what a submission says it runs without; they stay."""
LEARNT = {"ITERATIONS": "12", "TTT_CHUNK_TOKENS": "512"}
RATES = ("EMBED_LR", "HEAD_LR", "TIED_EMBED_LR", "MATRIX_LR", "SCALAR_LR")


class Probe(enum.StrEnum):
    """What a run looks for."""

    EVALUATION = "evaluation"
    TRAINING = "training"
    TABLES = "tables"
    """Leaks of the evaluation through hashed tables: few symbols, whose contexts repeat and collide."""


@dataclass(frozen=True, slots=True)
class Configuration:
    """The environment of one run, as the report shows it, and the stream that it scores."""

    name: str
    variables: Mapping[str, str]
    layout: Layout = STREAM
    splits: tuple[str, ...] = ("train", "val")
    """The shards that are drawn, each by itself: that of the bytes of each token, too, so that taking it for tokens proves nothing."""


def of_roles(source: str, declared: Declared = NOTHING) -> dict[str, float]:
    """The variables that a script reads and whose names tell what they are."""
    named = dict.fromkeys((*VARIABLE.findall(source), *declared.variables))
    return {name: value for name in named for role, value in ROLES if role.search(name)}


def first_configuration(probe: Probe, layout: Layout = STREAM, source: str = "", declared: Declared = NOTHING) -> Configuration:
    """What a script with this source is run with at first: as it declares, shrunk."""
    shrunk = {**of_roles(source, declared), **LENGTHS, **SHAPE}
    off = {name: value for name, value in declared.environment.items() if name in shrunk and value in OFF}
    chosen = {**declared.environment, **shrunk, **off, "DATA_DIR": "./data", "SEED": 1337}
    splits = ("train", "val", *(["val_bytes"] if "fineweb_val_bytes" in source else []))
    first = Configuration("two layers", {key: str(value) for key, value in chosen.items()}, layout, splits)
    return for_probe(on_stream(first, layout), probe)


def on_stream(at: Configuration, layout: Layout) -> Configuration:
    """The same run on another stream."""
    paths = {
        "VOCAB_SIZE": f"{layout.vocab}",
        "DATA_PATH": f"./data/datasets/fineweb10B_sp{layout.vocab}",
        "TOKENIZER_PATH": f"./data/tokenizers/fineweb_{layout.vocab}_bpe.model",
    }
    return replace(at, variables={**at.variables, **paths}, layout=layout)


def colliding(layout: Layout, settable: bool) -> Layout:
    """A stream of few symbols that are congruent; of a larger vocabulary if the script takes one."""
    vocab = COLLIDING.vocab if settable else layout.vocab
    return replace(COLLIDING, vocab=vocab, modulus=vocab // COLLIDING.alphabet)


def for_probe(at: Configuration, probe: Probe) -> Configuration:
    """The same run with training off or on, and long enough to learn which symbols there are."""
    others = {name: value for name, value in at.variables.items() if name not in RATES}
    own = dict.fromkeys(RATES, "0") if probe is Probe.EVALUATION else LEARNT if probe is Probe.TABLES else {}
    return replace(at, variables={**others, **own})
