"""A recipe and another training script on the same shards, step by step in turns.

Invariant: both are told the same shape, batch, seed and data; the script by the environment variables that the official one introduced.
The first step of both, which includes the start, is not counted.
"""

import json
import os
import sys
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from pgolf_ref.bench.lockstep import Worker
from pgolf_ref.config import Config, to_dict
from pgolf_ref.data.dataset import open_dataset
from pgolf_ref.errors import UserError
from pgolf_ref.files import write_text

REFERENCE, SCRIPT = "reference", "script"


@dataclass(frozen=True, slots=True)
class Side:
    """Seconds and training loss (nats per token) of every counted step of a program, and its bytes of memory at most."""

    seconds: tuple[float, ...]
    losses: tuple[float | None, ...]
    memory: int

    @property
    def step_seconds(self) -> float:
        """The median."""
        return median(self.seconds)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Both programs over the same steps; `first` is the number of the first counted step."""

    script: str
    reference: Side
    other: Side
    first: int = 2

    @property
    def ratio(self) -> float:
        """The reference's time per step over the script's: the median over pairs of steps."""
        pairs = zip(self.reference.seconds, self.other.seconds, strict=True)
        return median(ours / theirs for ours, theirs in pairs)


def compare(config: Config, script: Path, steps: int, extra: Mapping[str, str]) -> Comparison:
    """Let both do `steps` counted steps. `extra` are environment variables for the script. UserError where one of them fails."""
    if not script.is_file():
        raise UserError(f"no script {script}: give the path of a training script")
    dataset = open_dataset(Path(config.data.path), config.model.vocab_size, config.data.tokenizer)
    with tempfile.TemporaryDirectory() as name, ExitStack() as running:
        folder = Path(name)
        write_text(folder / "config.json", json.dumps(to_dict(config)))
        package = str(Path(__file__).resolve().parents[2])
        shared = {**os.environ, "PYTHONPATH": os.pathsep.join([package, os.environ.get("PYTHONPATH", "")])}
        told = {**shared, **environment(config, dataset.tokenizer_path, folder), **extra}
        modules = (("reference", str(folder / "config.json"), shared), ("script", str(script.resolve()), told))
        workers = [
            running.enter_context(Worker([sys.executable, "-m", f"pgolf_ref.bench.{module}", argument], variables, folder, module))
            for module, argument, variables in modules
        ]
        for _ in range(steps + 1):
            for worker in workers:
                if not worker.turn():
                    raise UserError(f"{script} ended after {len(worker.seconds)} steps: ask for fewer --steps")
        return Comparison(script.name, *(_side(worker) for worker in workers))


def environment(config: Config, tokenizer: Path, folder: Path) -> dict[str, str]:
    """What a public script has to be told to train this shape on this data.

    Some expect shards and tokenizer where the challenge keeps them: links to both are made in `folder`.
    """
    m, data = config.model, Path(config.data.path).resolve()
    shards, tokenizers = folder / "data/datasets" / f"fineweb10B_sp{m.vocab_size}", folder / "data/tokenizers"
    tokenizers.mkdir(parents=True)
    shards.parent.mkdir(parents=True)
    shards.symlink_to(data)
    (tokenizers / f"fineweb_{m.vocab_size}_bpe{tokenizer.suffix}").symlink_to(tokenizer.resolve())
    values = {
        "DATA_PATH": data,
        "DATA_DIR": folder / "data",
        "TOKENIZER_PATH": tokenizer.resolve(),
        "SEED": config.run.seed_init,
        "VOCAB_SIZE": m.vocab_size,
        "NUM_LAYERS": m.layers,
        "MODEL_DIM": m.dim,
        "EMBEDDING_DIM": m.dim,
        "NUM_HEADS": m.heads,
        "NUM_KV_HEADS": m.kv_heads,
        "MLP_MULT": m.mlp_mult,
        "TRAIN_SEQ_LEN": config.data.seq_len,
        "EVAL_SEQ_LEN": config.data.seq_len,
        "TRAIN_BATCH_TOKENS": config.data.batch_tokens,
        "ITERATIONS": config.run.steps,
        "MAX_WALLCLOCK_SECONDS": 0,
        "WARMUP_STEPS": config.run.warmup_steps,
        "VAL_LOSS_EVERY": 0,
        "TRAIN_LOG_EVERY": 1,
    }
    return {name: str(value) for name, value in values.items()}


def _side(worker: Worker) -> Side:
    return Side(tuple(worker.seconds[1:]), tuple(worker.train_losses[1:]), worker.memory)
