"""A recipe and the public script that it stands for, each told to train the same small model on the same shards."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path


@dataclass(frozen=True)
class Setting:
    """The small configuration, named as the reference names it."""

    vocab_size: int = 1024
    layers: int = 4
    dim: int = 128
    heads: int = 4
    kv_heads: int = 2
    mlp_mult: int = 2
    seq_len: int = 256
    batch_tokens: int = 8192
    steps: int = 100

    @property
    def warmdown(self) -> int:
        """Steps."""
        return 2 * self.steps // 5

    @property
    def momentum_warmup(self) -> int:
        """Steps."""
        return self.steps // 5

    def overrides(self, data: Path, seed: int) -> list[str]:
        """What every recipe is told."""
        model = ("vocab_size", "layers", "dim", "heads", "kv_heads", "mlp_mult")
        return [
            *(f"model.{name}={getattr(self, name)}" for name in model),
            f"data.path='{data}'",
            f"data.seq_len={self.seq_len}",
            f"data.batch_tokens={self.batch_tokens}",
            f"optim.warmdown={self.warmdown / self.steps}",
            f"optim.momentum_warmup={self.momentum_warmup / self.steps}",
            f"run.steps={self.steps}",
            "run.budget_seconds=0",
            f"run.seed_init={seed}",
            f"run.seed_data={seed}",
            "run.dtype=float32",
            "run.device=cpu",
            "run.compile=false",
            "run.warmup_steps=0",
            "run.log_every=1",
            f"evaluate.stride={self.seq_len}",
        ]

    def environment(self, seed: int) -> dict[str, object]:
        """What every script is told, by the names that the official one introduced."""
        return {
            "SEED": seed,
            "VOCAB_SIZE": self.vocab_size,
            "NUM_LAYERS": self.layers,
            "MODEL_DIM": self.dim,
            "NUM_HEADS": self.heads,
            "NUM_KV_HEADS": self.kv_heads,
            "MLP_MULT": self.mlp_mult,
            "TRAIN_SEQ_LEN": self.seq_len,
            "TRAIN_BATCH_TOKENS": self.batch_tokens,
            "ITERATIONS": self.steps,
            "MUON_MOMENTUM_WARMUP_STEPS": self.momentum_warmup,
            "MAX_WALLCLOCK_SECONDS": 0,
            "WARMUP_STEPS": 0,
            "VAL_LOSS_EVERY": 0,
            "TRAIN_LOG_EVERY": 1,
        }


@dataclass(frozen=True)
class Pair:
    """`step` and `last` are regular expressions for what the script prints: a finished step, and the loss (group 1) after the last."""

    recipe: str
    script: str
    order: str  # in which the script reads the training tokens, in words
    orders: tuple[str, ...]  # in which the reference does: "own", or that of its script: "official" or "drawn"
    setting: Setting
    step: str
    last: str
    overrides: Callable[[Setting, Path, int], list[str]]
    environment: Callable[[Setting, Path, int, Path], dict[str, object]]  # of setting, data, seed, and a folder to work in


def naive_overrides(setting: Setting, data: Path, seed: int) -> list[str]:
    return setting.overrides(data, seed)


def naive_environment(setting: Setting, data: Path, seed: int, folder: Path) -> dict[str, object]:
    return setting.environment(seed) | {
        "DATA_PATH": data,
        "TOKENIZER_PATH": next(data.glob("*.model")),
        "VAL_BATCH_SIZE": 8 * 8 * setting.seq_len,
        "WARMDOWN_ITERS": setting.warmdown,
    }


EMA_DECAY = 0.9
LOOP = (1, 2)


def sp8192_overrides(setting: Setting, data: Path, seed: int) -> list[str]:
    """The recipe's own techniques at a smaller depth: the loop over blocks 1 and 2, parallel blocks from 3 on, a shorter average."""
    return [
        *setting.overrides(data, seed),
        f"model.attention.xsa_last={setting.layers}",
        f"model.recurrence.first={LOOP[0]}",
        f"model.recurrence.last={LOOP[1]}",
        "model.block.parallel_from=3",
        f"optim.ema_horizon={-1 / (math.log(EMA_DECAY) * setting.steps)}",
        f"ttt.chunk_tokens={setting.seq_len}",
    ]


def sp8192_environment(setting: Setting, data: Path, seed: int, folder: Path) -> dict[str, object]:
    """The script expects shards and tokenizer where the challenge keeps them."""
    shards, tokenizers = folder / "data/datasets" / f"fineweb10B_sp{setting.vocab_size}", folder / "data/tokenizers"
    tokenizers.mkdir(parents=True)
    shards.parent.mkdir(parents=True)
    shards.symlink_to(data)
    (tokenizers / f"fineweb_{setting.vocab_size}_bpe.model").symlink_to(next(data.glob("*.model")))
    return setting.environment(seed) | {
        "DATA_DIR": folder / "data",
        "EMBEDDING_DIM": setting.dim,
        "EVAL_SEQ_LEN": setting.seq_len,
        "ROPE_TRAIN_SEQ_LEN": setting.seq_len,
        "VAL_BATCH_TOKENS": 8 * 8 * setting.seq_len,
        "WARMDOWN_FRAC": setting.warmdown / setting.steps,
        "XSA_LAST_N": setting.layers,
        "LOOP_START": LOOP[0],
        "LOOP_END": LOOP[1],
        "PARALLEL_RESIDUAL_START": 3,
        "QK_GAIN_INIT": 5.25,
        "EMA_DECAY": EMA_DECAY,
    }


PAIRS = {
    pair.recipe: pair
    for pair in (
        Pair(
            "naive",
            "the official script",
            "from its beginning",
            ("own", "official"),
            Setting(),
            r"step:\d+/\d+ train_loss:",
            r"step:(?:\d+)/\d+ val_loss:(\S+)",
            naive_overrides,
            naive_environment,
        ),
        Pair(
            "sp8192",
            "the script of PR 1493",
            "in an order that is the same for every seed",
            ("own", "drawn"),
            replace(Setting(), layers=5, mlp_mult=4),
            r"\d+/\d+ train_loss: ",
            r"pre-quantization post-ema val_loss:(\S+)",
            sp8192_overrides,
            sp8192_environment,
        ),
    )
}
