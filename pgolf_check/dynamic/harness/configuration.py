"""The variables that shrink a script to seconds, and the probes: training off shows leaks of the evaluation, training on those before it."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass

from pgolf_check.dynamic.shard import Layout

WINDOW, STRIDE = 256, 64
MOST_SCORINGS = WINDOW // STRIDE
"""How often a sliding loop of this window and stride may score one position."""
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
    "MAX_WALLCLOCK_SECONDS": 600, "TTT_ENABLED": 1, "TTT_EPOCHS": 3, "TTT_CHUNK_TOKENS": 2048, "GPTQ_CALIBRATION_BATCHES": 1,
}  # fmt: skip
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


def configurations(probe: Probe) -> tuple[Configuration, ...]:
    """What is tried in turn, until a run states its loss: at most three."""
    rates = dict.fromkeys(RATES, 0) if probe is Probe.EVALUATION else {}
    data = {"VOCAB_SIZE": STREAM.vocab, "DATA_DIR": "./data", "SEED": 1337}
    paths = {
        "DATA_PATH": f"./data/datasets/fineweb10B_sp{STREAM.vocab}",
        "TOKENIZER_PATH": f"./data/tokenizers/fineweb_{STREAM.vocab}_bpe.model",
    }
    small = {**data, **paths, **LENGTHS, **SHAPE, **rates}
    ranks = {"RANK": 0, "LOCAL_RANK": 0, "WORLD_SIZE": 1, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": 29500}
    tried = (("two layers", small), ("six layers", {**small, **DEEPER}), ("six layers, one rank", {**small, **DEEPER, **ranks}))
    return tuple(Configuration(name, {key: str(value) for key, value in chosen.items()}) for name, chosen in tried)
