"""Loss and time per step of the recipe `naive`, scaled down, against the official script on the same shards and steps.

    python bench/against_official.py OFFICIAL_TRAIN_GPT_PY DATA_FOLDER

Both run in float32 on this CPU, three seeds each, taking turns step by step. Both are scored by the mean loss over the
validation shards in disjoint windows. Writes against_official.md beside this file.
"""

import argparse
import os
import platform
import statistics
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from lockstep import Pace, Worker

from pgolf_ref.clock import Clock
from pgolf_ref.config import load_recipe
from pgolf_ref.data.loader import Loader
from pgolf_ref.log import Log
from pgolf_ref.model.gpt import GPT
from pgolf_ref.train import train

HERE = Path(__file__).resolve().parent


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
    warmdown_steps: int = 40
    momentum_warmup_steps: int = 20

    def overrides(self, data: Path, seed: int) -> list[str]:
        """For the recipe `naive`."""
        model = ("vocab_size", "layers", "dim", "heads", "kv_heads", "mlp_mult")
        return [
            *(f"model.{name}={getattr(self, name)}" for name in model),
            f"data.path='{data}'",
            f"data.seq_len={self.seq_len}",
            f"data.batch_tokens={self.batch_tokens}",
            f"optim.warmdown={self.warmdown_steps / self.steps}",
            f"optim.momentum_warmup={self.momentum_warmup_steps / self.steps}",
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

    def environment(self, data: Path, seed: int) -> dict[str, str]:
        """For the official script."""
        tokenizer = next(data.glob("*.model"))
        values = {
            "DATA_PATH": data,
            "TOKENIZER_PATH": tokenizer,
            "SEED": seed,
            "VOCAB_SIZE": self.vocab_size,
            "NUM_LAYERS": self.layers,
            "MODEL_DIM": self.dim,
            "NUM_HEADS": self.heads,
            "NUM_KV_HEADS": self.kv_heads,
            "MLP_MULT": self.mlp_mult,
            "TRAIN_SEQ_LEN": self.seq_len,
            "TRAIN_BATCH_TOKENS": self.batch_tokens,
            "VAL_BATCH_SIZE": 8 * 8 * self.seq_len,
            "ITERATIONS": self.steps,
            "WARMDOWN_ITERS": self.warmdown_steps,
            "MUON_MOMENTUM_WARMUP_STEPS": self.momentum_warmup_steps,
            "MAX_WALLCLOCK_SECONDS": 0,
            "WARMUP_STEPS": 0,
            "VAL_LOSS_EVERY": 0,
            "TRAIN_LOG_EVERY": 1,
        }
        return {name: str(value) for name, value in values.items()}


def work(data: Path, seed: int, setting: Setting, order: str) -> None:
    """Child process: the reference, one step per turn."""
    torch.set_num_threads(int(os.environ["BENCH_THREADS"]))
    config = load_recipe("naive", setting.overrides(data, seed))
    loader = Loader(config) if order == "own" else OfficialOrder(data, config.data.slots, config.data.rows, config.data.seq_len)
    pace = Pace()

    class PacedLog(Log):
        def __call__(self, line: str, *, shown: bool = True) -> None:
            if " train_loss:" in line:
                pace.step_done()

    pace.begin()
    result = train(config, loader, Clock(), PacedLog(None, None))
    pace.finish(validation_loss(result.model, data, setting.seq_len))


class OfficialOrder:
    """The training stream from its beginning, one token of overlap lost between micro-batches, as the official script reads it."""

    def __init__(self, data: Path, slots: int, rows: int, length: int) -> None:
        self._tokens = stream(data, "train")
        self._slots, self._rows, self._length = slots, rows, length

    def batch(self, step: int, slot: int) -> tuple[torch.Tensor, torch.Tensor]:
        span = self._rows * self._length + 1
        tokens = self._tokens[(step * self._slots + slot) * span :][:span]
        return tokens[:-1].view(-1, self._length), tokens[1:].view(-1, self._length)


def stream(data: Path, split: str) -> torch.Tensor:
    """All tokens of a split, int64, without the headers of 1,024 bytes."""
    shards = [np.fromfile(path, dtype="<u2", offset=1024) for path in sorted(data.glob(f"fineweb_{split}_*.bin"))]
    return torch.from_numpy(np.concatenate(shards).astype(np.int64))


@torch.no_grad()
def validation_loss(model: GPT, data: Path, length: int, rows: int = 8) -> float:
    """Mean nats per target over disjoint windows of all validation shards, as the official script cuts them."""
    tokens = stream(data, "val")
    count = (len(tokens) - 1) // length
    x, y = tokens[: count * length].view(count, length), tokens[1 : count * length + 1].view(count, length)
    losses = ((len(a), float(model.loss(a, b))) for a, b in zip(x.split(rows), y.split(rows), strict=True))
    return sum(number * loss for number, loss in losses) / count


def compare(seeds: list[int], options: argparse.Namespace, setting: Setting) -> dict[str, list[Worker]]:
    """All programs for every seed, in turns."""
    runs: dict[str, list[Worker]] = {"official": [], "reference": [], "reference, official order": []}
    official, data = str(options.official.resolve()), options.data.resolve()
    shared = os.environ | {"BENCH_THREADS": str(options.threads), "OMP_NUM_THREADS": str(options.threads)}
    for seed in seeds:
        ours = [sys.executable, __file__, official, str(data), "--steps", str(setting.steps), "--work", str(seed), "--order"]
        commands = {
            "official": [sys.executable, str(HERE / "official_on_cpu.py"), official],
            "reference": [*ours, "own"],
            "reference, official order": [*ours, "official"],
        }
        environment = shared | setting.environment(data, seed)
        with tempfile.TemporaryDirectory() as folder:
            workers = {name: Worker(command, environment, folder) for name, command in commands.items()}
            going = list(workers)
            while going:
                going = [name for name in going if workers[name].turn()]
        for name, worker in workers.items():
            runs[name].append(worker)
            print(f"seed {seed} {name}: loss {worker.loss:.4f}, median {1000 * median(worker):.1f} ms/step", flush=True)
    return runs


def median(worker: Worker) -> float:
    """Seconds per step without the first, which includes the start."""
    return statistics.median(worker.seconds[1:])


def report(runs: dict[str, list[Worker]], seeds: list[int], options: argparse.Namespace, setting: Setting) -> str:
    """The figures as Markdown, with the command that made them."""
    rows = [
        f"| {seed} | {name} | {worker.loss:.4f} | {1000 * median(worker):.1f} |"
        for i, seed in enumerate(seeds)
        for name, worker in ((name, runs[name][i]) for name in runs)
    ]
    losses = {name: [float(worker.loss or 0) for worker in workers] for name, workers in runs.items()}
    base, spread = statistics.mean(losses["official"]), statistics.stdev(losses["official"])
    summary = [f"* official: mean loss {base:.4f}, standard deviation over the seeds {spread:.4f}"]
    for name in list(runs)[1:]:
        mean = statistics.mean(losses[name])
        pairs = zip(runs[name], runs["official"], strict=True)
        ratios = [a / b for ours, theirs in pairs for a, b in zip(ours.seconds[1:], theirs.seconds[1:], strict=True)]
        ratio = statistics.median(ratios)
        summary.append(f"* {name}: mean loss {mean:.4f} ({mean - base:+.4f}), {ratio:.3f} of its time per step (median of pairs)")
    flags = f"--seeds {options.seeds} --steps {options.steps} --threads {options.threads}"
    newline = "\n"
    return f"""# The reference against the official script

`python bench/against_official.py OFFICIAL_TRAIN_GPT_PY DATA_FOLDER {flags}`

torch {torch.__version__}, {platform.machine()}, {options.threads} thread(s), float32. {setting}.
{len(stream(options.data, "train")):,} training tokens, {len(stream(options.data, "val")):,} validation tokens.

The programs take turns step by step on the same shards. The official script reads the training stream from its beginning;
the reference shuffles it, and for comparison is also run in the official order. The loss is that of the validation shards
after the last step, in disjoint windows.

{newline.join(summary)}

| seed | program | validation loss (nats) | median ms per step |
|---|---|---|---|
{newline.join(rows)}
"""


def main() -> None:
    parser = argparse.ArgumentParser(description="the recipe naive, scaled down, against the official script")
    parser.add_argument("official", type=Path, help="the official train_gpt.py")
    parser.add_argument("data", type=Path, help="folder of the shards and the tokenizer")
    parser.add_argument("--seeds", default="42,314,999")
    parser.add_argument("--steps", type=int, default=Setting.steps)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--order", choices=("own", "official"), default="own", help=argparse.SUPPRESS)
    parser.add_argument("--work", type=int, metavar="SEED", help=argparse.SUPPRESS)
    options = parser.parse_args()
    steps = options.steps
    setting = Setting(steps=steps, warmdown_steps=2 * steps // 5, momentum_warmup_steps=steps // 5)
    if options.work is not None:
        work(options.data, options.work, setting, options.order)
        return
    seeds = [int(seed) for seed in options.seeds.split(",")]
    runs = compare(seeds, options, setting)
    (HERE / "against_official.md").write_text(report(runs, seeds, options, setting), encoding="utf-8")


if __name__ == "__main__":
    main()
