"""Writes bench/paired_evaluation.md: the evaluation of PR 549 and the reference's on the same weights and tokens, on the CPU.

    GIT_DIR=path/to/parameter-golf/.git python -m bench.paired_evaluation

The two functions of the public script are taken out of it as they are and score the reference's model through the interface that they
know, without compilation on either side. Losses are compared by position, each at its first score: the public code scores some
positions at the end of the stream several times. The sides take turns, and of each the shortest time counts.
"""

from __future__ import annotations

import ast
import math
import os
import subprocess
import sysconfig
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from pgolf_ref.config import Config, load_recipe
from pgolf_ref.distributed import World
from pgolf_ref.evaluate.bpb import ByteTable
from pgolf_ref.evaluate.ledger import ScoringLedger
from pgolf_ref.evaluate.recipe import adapted_score, windowed_score
from pgolf_ref.model.gpt import GPT

PAGE = Path(__file__).with_suffix(".md")
SCRIPT = "records/track_10min_16mb/2026-03-23_LeakyReLU_LegalTTT_ParallelMuon/train_gpt.py"
FUNCTIONS = ("eval_val_sliding", "eval_val_sliding_ttt")
VOCAB, TOKENS, SEQ_LEN, STRIDE, CHUNK, TURNS = 256, 16_500, 256, 64, 2048, 3
Losses = NDArray[np.float64]


class AsTheirs(nn.Module):
    """The reference's model behind the interface of the public one."""

    def __init__(self, model: GPT) -> None:
        super().__init__()
        self.model = model
        self.blocks = model.blocks

    def forward_logits(self, tokens: Tensor) -> Tensor:
        return self.model(tokens)

    def forward(self, tokens: Tensor, targets: Tensor) -> Tensor:
        return self.model.loss(tokens, targets)


class Listener:
    """torch.nn.functional that remembers the losses that it gives."""

    def __init__(self) -> None:
        self.losses: list[Tensor] = []

    def cross_entropy(self, *arguments: Any, **options: Any) -> Tensor:
        losses = F.cross_entropy(*arguments, **options)
        self.losses.append(losses)
        return losses


def main() -> None:
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore", message="CUDA is not available")
    stream, settings = text(), config()
    rows = [
        compare("sliding", lambda: theirs_sliding(stream, settings), lambda: ours(stream, settings, False)),
        compare("test-time training", lambda: theirs_ttt(stream, settings), lambda: ours(stream, settings, True)),
    ]
    PAGE.write_text(page(rows), encoding="utf-8")
    print(PAGE)


def compare(name: str, theirs: Callable[[], Losses], own: Callable[[], Losses]) -> tuple[str, float, float, float, float, float]:
    """The largest difference of a loss, both means, and the shortest time of each side in seconds."""
    seconds: tuple[list[float], list[float]] = ([], [])
    for _ in range(TURNS):
        found = [timed(side, kept) for side, kept in zip((theirs, own), seconds, strict=True)]
    difference = float(np.abs(found[0] - found[1]).max())
    return name, difference, float(found[0].mean()), float(found[1].mean()), min(seconds[0]), min(seconds[1])


def timed(work: Callable[[], Losses], seconds: list[float]) -> Losses:
    start = time.perf_counter()
    losses = work()
    seconds.append(time.perf_counter() - start)
    return losses


def config() -> Config:
    """A small model, and the recipe of PR 549 for it."""
    shape = ["model.vocab_size=256", "model.layers=4", "model.dim=128", "model.heads=4", "model.kv_heads=2"]
    evaluation = [f"data.seq_len={SEQ_LEN}", f"evaluate.stride={STRIDE}", f"ttt.chunk_tokens={CHUNK}", "ttt.batch_rows=4"]
    return load_recipe("naive", [*shape, *evaluation, f"data.batch_tokens={8 * SEQ_LEN}", "ttt.epochs=3", "ttt.lr=0.02"])


def text() -> NDArray[np.uint16]:
    """The first bytes of a module of the standard library."""
    source = Path(sysconfig.get_path("stdlib")) / "argparse.py"
    return np.frombuffer(source.read_bytes()[:TOKENS], dtype=np.uint8).astype(np.uint16)


def weights(settings: Config) -> GPT:
    """The same for every run: random ones, as a fresh model has matrices of zeros."""
    torch.manual_seed(549)
    model = GPT(settings.model)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn(parameter.shape) * 0.02)
    return model


def ours(stream: NDArray[np.uint16], settings: Config, learning: bool) -> Losses:
    none = np.zeros(VOCAB, dtype=np.bool_)
    ledger = ScoringLedger(stream, ByteTable(np.ones(VOCAB, dtype=np.int64), none, none), World.single())
    model = weights(settings)
    if learning:
        adapted_score(model, ledger, settings, World.single())
    else:
        windowed_score(model, ledger, settings, STRIDE, World.single())
    return ledger.losses()


def theirs_sliding(stream: NDArray[np.uint16], settings: Config) -> Losses:
    listener = Listener()
    functions(listener)["eval_val_sliding"](*arguments(stream, settings))
    starts = range(0, len(stream) - 1, STRIDE)
    return first_scores(listener.losses, starts, len(stream) - 1)


def theirs_ttt(stream: NDArray[np.uint16], settings: Config) -> Losses:
    listener = Listener()
    given = arguments(stream, settings)
    functions(listener)["eval_val_sliding_ttt"](*given, log0=lambda line: None)
    total = len(stream) - 1
    starts = [start for start in range(0, total, STRIDE) if min(start + SEQ_LEN, total) - start >= STRIDE or start == 0]
    return first_scores(listener.losses, starts, total)


def arguments(stream: NDArray[np.uint16], settings: Config) -> tuple[Any, ...]:
    """What both functions take, up to the stride."""
    ttt = settings.ttt
    args = SimpleNamespace(
        train_seq_len=SEQ_LEN,
        ttt_chunk_tokens=ttt.chunk_tokens,
        ttt_lr=ttt.lr,
        ttt_momentum=ttt.momentum,
        ttt_epochs=ttt.epochs,
        ttt_batch_seqs=ttt.batch_rows,
        ttt_grad_clip=ttt.clip_norm,
        ttt_freeze_blocks=0,
    )
    tables = torch.ones(VOCAB), torch.zeros(VOCAB, dtype=torch.bool), torch.zeros(VOCAB, dtype=torch.bool)
    tokens = torch.from_numpy(stream.astype(np.int64))
    return args, AsTheirs(weights(settings)), 0, 1, torch.device("cpu"), tokens, *tables, STRIDE


def functions(listener: Listener) -> dict[str, Any]:
    """The two functions of the script; compilation is left out, and the losses are listened to."""
    source = ast.parse(script())
    wanted = [node for node in source.body if isinstance(node, ast.FunctionDef) and node.name in FUNCTIONS]
    future = ast.parse("from __future__ import annotations").body
    plain = SimpleNamespace(**{**vars(torch), "compile": lambda function, **_: function})
    space = {"torch": plain, "F": listener, "math": math, "time": time, "dist": torch.distributed, "nn": nn}
    exec(compile(ast.Module([*future, *wanted], []), SCRIPT, "exec"), space)  # noqa: S102  (read before it was paired)
    return space


def script() -> str:
    """The public script, from the repository that GIT_DIR names."""
    shown = ["git", "show", f"HEAD:{SCRIPT}"]
    return subprocess.run(shown, env=os.environ, capture_output=True, text=True, check=True).stdout


def first_scores(batches: list[Tensor], starts: Any, total: int) -> Losses:
    """The loss of every position when it was first scored, from those of all windows in their order."""
    losses = np.full(total, np.nan)
    for start, window in zip(starts, _windows(batches), strict=True):
        length = min(start + SEQ_LEN, total) - start
        scored = 0 if start == 0 else max(length - STRIDE, 0)
        for place in range(scored, length):
            if np.isnan(losses[start + place]):
                losses[start + place] = float(window[place])
    return losses


def _windows(batches: list[Tensor]) -> Iterator[Tensor]:
    for batch in batches:
        yield from batch.detach().view(-1, SEQ_LEN)


def page(rows: list[tuple[str, float, float, float, float, float]]) -> str:
    table = "\n".join(
        f"| {name} | {difference:.1e} | {theirs:.7f} | {own:.7f} | {slow:.1f} | {fast:.1f} | {slow / fast:.2f} |"
        for name, difference, theirs, own, slow, fast in rows
    )
    return f"""# Evaluation beside that of PR 549

Same weights, same {TOKENS:,} tokens (a module of the standard library, by bytes), windows of {SEQ_LEN} that advance by {STRIDE}; test-time
training in chunks of {CHUNK:,} tokens, 3 epochs of SGD at 0.02. One thread of a shared CPU, float32, PyTorch {torch.__version__}; the
shortest of {TURNS} runs in turns. A loss is that of a position at its first score.

| | largest difference of a loss, nats | mean, PR 549 | mean, reference | s, PR 549 | s, reference | times as fast |
|---|---|---|---|---|---|---|
{table}

`GIT_DIR=path/to/parameter-golf/.git python -m bench.paired_evaluation`
"""


if __name__ == "__main__":
    main()
