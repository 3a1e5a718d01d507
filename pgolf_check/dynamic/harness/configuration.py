"""The variables that shrink a script to seconds, and the probes: training off shows leaks of the evaluation, training on those before it."""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping
from dataclasses import dataclass

from pgolf_check.dynamic.shard import Layout

WINDOW = STRIDE = 256
"""A sliding loop that takes both from its variables scores every position once."""
MOST_SCORINGS = 4
"""How often a loop may score one position: a window of 256 at a stride of 64 that the script states itself."""
ATTEMPTS = 3
STREAM = Layout(tokens=33_793, vocab=1024)
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
LENGTHS = {
    "TRAIN_SEQ_LEN": WINDOW, "EVAL_SEQ_LEN": WINDOW, "EVAL_STRIDE": STRIDE, "TRAIN_BATCH_TOKENS": 2048, "VAL_BATCH_SIZE": 8192,
    "VAL_BATCH_TOKENS": 8192, "ITERATIONS": 6, "WARMUP_STEPS": 0, "WARMDOWN_ITERS": 2, "VAL_LOSS_EVERY": 0, "TRAIN_LOG_EVERY": 2,
    "MAX_WALLCLOCK_SECONDS": 600, "TTT_ENABLED": 1, "TTT_EPOCHS": 10, "TTT_BATCH_SEQS": 4, "TTT_CHUNK_TOKENS": 2048, "GPTQ_CALIBRATION_BATCHES": 1,
}  # fmt: skip
ROLES = (
    (re.compile(r"STRIDE$"), STRIDE),
    (re.compile(r"(BUCKETS|TABLE_SIZE)$"), 4096),
    (re.compile(r"CALIB\w*_BATCHES$"), 1),
    (re.compile(r"(NGRAM|CACHE|GLOBAL_TTT)\w*CHUNK_TOKENS$"), 2048),
)
"""Values for variables by the end of their name: small tables, so that contexts collide, and few batches."""
VARIABLE = re.compile(r"""environ(?:\.get\(|\[)\s*["'](\w+)["']""")
RATES = ("EMBED_LR", "HEAD_LR", "TIED_EMBED_LR", "MATRIX_LR", "SCALAR_LR")


class Probe(enum.StrEnum):
    """What a run looks for."""

    EVALUATION = "evaluation"
    TRAINING = "training"


@dataclass(frozen=True, slots=True)
class Configuration:
    """The environment of one run, as the report shows it."""

    name: str
    variables: Mapping[str, str]


def of_roles(source: str) -> dict[str, int]:
    """The variables that a script reads and whose names tell what they are."""
    named = dict.fromkeys(VARIABLE.findall(source))
    return {name: value for name in named for role, value in ROLES if role.search(name)}


def configurations(probe: Probe, layout: Layout = STREAM, source: str = "") -> tuple[Configuration, ...]:
    """What is tried in turn, until a run of a script with this source states its loss: ATTEMPTS at most."""
    rates = dict.fromkeys(RATES, 0) if probe is Probe.EVALUATION else {}
    data = {"VOCAB_SIZE": layout.vocab, "DATA_DIR": "./data", "SEED": 1337}
    paths = {
        "DATA_PATH": f"./data/datasets/fineweb10B_sp{layout.vocab}",
        "TOKENIZER_PATH": f"./data/tokenizers/fineweb_{layout.vocab}_bpe.model",
    }
    small = {**data, **paths, **of_roles(source), **LENGTHS, **SHAPE, **rates}
    ranks = {"RANK": 0, "LOCAL_RANK": 0, "WORLD_SIZE": 1, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": 29500}
    tried = (("two layers", small), ("six layers", {**small, **DEEPER}), ("six layers, one rank", {**small, **DEEPER, **ranks}))
    return tuple(Configuration(name, {key: str(value) for key, value in chosen.items()}) for name, chosen in tried)
