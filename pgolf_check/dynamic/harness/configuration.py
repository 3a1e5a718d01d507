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
COLLIDING = Layout(tokens=16_897, vocab=4096, modulus=256, document_tokens=512)
SHAPE = {
    "NUM_LAYERS": 2,
    "MODEL_DIM": 64,
    "NUM_HEADS": 2,
    "NUM_KV_HEADS": 1,
    "MLP_MULT": 2,
    "BIGRAM_VOCAB_SIZE": 256,
    "BIGRAM_DIM": 16,
    "EMBEDDING_DIM": 64,
}
DEEPER = {"NUM_LAYERS": 6, "NUM_HEADS": 4, "NUM_KV_HEADS": 2}
"""For scripts whose layer indices are fixed."""
LESS = {"VAL_BATCH_SIZE": 2048, "VAL_BATCH_TOKENS": 2048}
BYTES_SPLIT = "val_bytes"
"""The shard of the bytes of each token, for text that was transformed."""
SHORTER_STREAM, LESS_STREAM = 16_897, 8_449
RANKS = {"RANK": 0, "LOCAL_RANK": 0, "WORLD_SIZE": 1, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": 29500}
LENGTHS = {
    "TRAIN_SEQ_LEN": WINDOW, "EVAL_SEQ_LEN": WINDOW, "EVAL_STRIDE": STRIDE, "TRAIN_BATCH_TOKENS": 2048, "VAL_BATCH_SIZE": 8192,
    "VAL_BATCH_TOKENS": 8192, "ITERATIONS": 6, "WARMUP_STEPS": 0, "WARMDOWN_ITERS": 2, "VAL_LOSS_EVERY": 0, "TRAIN_LOG_EVERY": 2,
    "MAX_WALLCLOCK_SECONDS": 600, "TTT_CHUNK_TOKENS": 2048,
}  # fmt: skip
ROLES = (
    (re.compile(r"STRIDE$"), STRIDE),
    (re.compile(r"SEQ_LEN$"), WINDOW),
    (re.compile(r"GRAD_ACCUM(_STEPS)?$"), 1),
    (re.compile(r"(BUCKETS|TABLE_SIZE)$"), 4096),
    (re.compile(r"TABLE_BITS$"), 12),
    (re.compile(r"CALIB\w*_BATCHES$"), 1),
    (re.compile(r"(NGRAM|CACHE|GLOBAL_TTT)\w*CHUNK_TOKENS$"), 2048),
    (re.compile(r"TTT\w*_(EPOCHS|PASSES)$|^TTT_STEPS$"), 4),
    (re.compile(r"TTT\w*_BATCH(_SEQS|_SIZE)?$"), 4),
    (re.compile(r"TTT\w*RANK$"), 8),
    (re.compile(r"TTT\w*CHUNK_SIZE$"), 128),
    (re.compile(r"TTT\w*PREFIX_DOCS$"), 8),
    (re.compile(r"TTT_LR$"), 0.01),
    (re.compile(r"EMA_DECAY$"), 0.5),
    (re.compile(r"EVAL_ONLY$|SKIP_TRAIN(ING)?$"), 0),
)
"""Values for variables by the end of their name: small tables, so that contexts collide, few batches, and much test-time training."""
RAISED = re.compile(r"TTT_(\w+_)?LORA_LR$")
TIMES, MOST = 50.0, 0.05
"""By how much the rates of test-time adapters are raised, and to what at most: beyond, they diverge."""
DEFAULT = r"""["']{}["']\s*,\s*["']?([\d.e-]+)"""
VARIABLE = re.compile(r"""environ(?:\.get\(|\[)\s*["'](\w+)["']""")
OFF = frozenset(("", "0", "0.0", "-1"))
"""Values of what a submission says it runs without; they stay."""
LEARNT = {"ITERATIONS": "12", "TTT_CHUNK_TOKENS": "512", "TTT_EPOCHS": "1"}
"""Enough steps to learn which symbols there are, and small chunks, after which tables are filled."""
RATES = ("EMBED_LR", "HEAD_LR", "TIED_EMBED_LR", "SCALAR_LR")
"""Off, the logits stay near 0, and the losses near the entropy. The matrices train: many begin at 0, where no adapter shows."""


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
    declared: frozenset[str] = frozenset()
    """The variables that are as the submission declares them, and switch nothing off."""


def of_roles(source: str, declared: Declared = NOTHING) -> dict[str, float]:
    """The variables that a script reads and whose names tell what they are."""
    named = dict.fromkeys((*VARIABLE.findall(source), *declared.variables))
    fixed = {name: next((value for role, value in ROLES if role.search(name)), None) for name in named}
    raised = {name: _raised(name, source, declared) for name in named if RAISED.search(name)}
    return {**{name: value for name, value in fixed.items() if value is not None}, **raised}


def _raised(name: str, source: str, declared: Declared) -> float:
    """A rate above the declared one, or else the default."""
    default = re.search(DEFAULT.format(name), source)
    text = declared.environment.get(name) or (default[1] if default is not None else "")
    try:
        return min(TIMES * float(text), MOST)
    except ValueError:
        return MOST


def first_configuration(probe: Probe, layout: Layout = STREAM, source: str = "", declared: Declared = NOTHING) -> Configuration:
    """What a script with this source is run with at first: as it declares, shrunk."""
    shrunk = {**of_roles(source, declared), **LENGTHS, **SHAPE}
    off = {name: value for name, value in declared.environment.items() if value in OFF}
    chosen = {**declared.environment, **shrunk, **off, "DATA_DIR": "./data", "SEED": 1337}
    splits = ("train", "val", *([BYTES_SPLIT] if f"fineweb_{BYTES_SPLIT}" in source else []))
    kept = frozenset(declared.environment) - frozenset(shrunk) - frozenset(off)
    first = Configuration("shrunk", {key: str(value) for key, value in chosen.items()}, layout, splits, kept)
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
