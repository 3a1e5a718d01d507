"""Loss and time per step of a recipe, scaled down, against the public script that it stands for, on the same shards and steps.

    python bench/against_official.py SCRIPT DATA_FOLDER [--recipe sp8192]

SCRIPT is the official train_gpt.py for `naive`, the decoded script of PR 1493 for `sp8192` (in the grammar of this Python).

Both run in float32 on this CPU, three seeds each, taking turns step by step. Both are scored by the mean loss over the
validation shards in disjoint windows. Writes against_official.md, or against_RECIPE.md, beside this file.
"""

import argparse
import os
import platform
import statistics
import sys
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from pairs import PAIRS, Pair, Setting

from pgolf_ref.bench.lockstep import Pace, Worker
from pgolf_ref.clock import Clock
from pgolf_ref.config import Config, load_recipe
from pgolf_ref.data.loader import Loader
from pgolf_ref.log import Log
from pgolf_ref.model.gpt import GPT
from pgolf_ref.train import train

HERE = Path(__file__).resolve().parent


def work(pair: Pair, data: Path, seed: int, setting: Setting, order: str) -> None:
    """Child process: the reference, one step per turn."""
    torch.set_num_threads(int(os.environ["BENCH_THREADS"]))
    config = load_recipe(pair.recipe, pair.overrides(setting, data, seed))
    made = {"own": lambda: Loader(config), "official": lambda: OfficialOrder(config), "drawn": lambda: DrawnOrder(config)}
    loader = made[order]()
    pace = Pace()

    def hear(kind: str, figures: Mapping[str, float | str]) -> None:
        if kind == "train":
            pace.step_done(float(figures["loss"]))

    pace.begin()
    result = train(config, loader, Clock(), Log(None, None, audience=hear))
    pace.finish(validation_loss(result.model, data, setting.seq_len))


class OfficialOrder:
    """The training stream from its beginning, one token of overlap lost between micro-batches, as the official script reads it."""

    def __init__(self, config: Config) -> None:
        self._tokens = stream(Path(config.data.path), "train")
        self._slots, self._rows, self._length = config.data.slots, config.data.rows, config.data.seq_len

    def batch(self, step: int, slot: int) -> tuple[torch.Tensor, torch.Tensor]:
        span = self._rows * self._length + 1
        tokens = self._tokens[(step * self._slots + slot) * span :][:span]
        return tokens[:-1].view(-1, self._length), tokens[1:].view(-1, self._length)


class DrawnOrder:
    """Windows as the script of PR 1493 draws them: of each shard a permutation, taken from its end, the shards by what is left of them.

    Batches have to be asked for in order.
    """

    def __init__(self, config: Config) -> None:
        self._rows, self._length = config.data.rows, config.data.seq_len
        files = sorted(Path(config.data.path).glob("fineweb_train_*.bin"))
        self._shards = [torch.from_numpy(np.fromfile(file, dtype="<u2", offset=1024).astype(np.int64)) for file in files]
        self._generator = np.random.Generator(np.random.PCG64(0))
        self._left = [self._starts(len(shard)) for shard in self._shards]

    def _starts(self, tokens: int) -> list[int]:
        phase = int(self._generator.integers(min(self._length - 1, tokens - self._length - 1) + 1))
        return (phase + self._generator.permutation((tokens - 1 - phase) // self._length) * self._length).tolist()

    def batch(self, step: int, slot: int) -> tuple[torch.Tensor, torch.Tensor]:
        rows = torch.stack([self._window() for _ in range(self._rows)])
        return rows[:, :-1].contiguous(), rows[:, 1:].contiguous()

    def _window(self) -> torch.Tensor:
        left = np.array([len(starts) for starts in self._left], dtype=np.float64)
        shard = int(self._generator.choice(len(left), p=left / left.sum()))
        start = self._left[shard].pop()
        return self._shards[shard][start : start + self._length + 1]


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


def compare(seeds: list[int], options: argparse.Namespace, pair: Pair, setting: Setting) -> dict[str, list[Worker]]:
    """All programs for every seed, in turns."""
    names = {"own": "reference", "official": "reference, official order", "drawn": "reference, the script's order"}
    runs: dict[str, list[Worker]] = {"official": [], **{names[order]: [] for order in pair.orders}}
    official, data = str(options.official.resolve()), options.data.resolve()
    shared = os.environ | {"BENCH_THREADS": str(options.threads), "OMP_NUM_THREADS": str(options.threads)}
    shared |= {"BENCH_STEP": pair.step, "BENCH_LAST": pair.last, "PYTHONPATH": str(HERE.parent)}
    for seed in seeds:
        ours = [sys.executable, __file__, official, str(data), "--recipe", pair.recipe, "--steps", str(setting.steps)]
        ours += ["--work", str(seed), "--order"]
        commands = {
            "official": [sys.executable, "-m", "pgolf_ref.bench.script", official],
            **{names[order]: [*ours, order] for order in pair.orders},
        }
        with tempfile.TemporaryDirectory() as place, ExitStack() as running:
            folder = Path(place)
            told = pair.environment(setting, data, seed, folder)
            environment = shared | {name: str(value) for name, value in told.items()}
            workers = {
                name: running.enter_context(Worker(command, environment, folder, name)) for name, command in commands.items()
            }
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


def report(runs: dict[str, list[Worker]], seeds: list[int], options: argparse.Namespace, pair: Pair, setting: Setting) -> str:
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
    also = ", and for comparison is also run in the script's order" if len(pair.orders) > 1 else ""
    return f"""# `{pair.recipe}` against {pair.script}

`python bench/against_official.py SCRIPT DATA_FOLDER --recipe {pair.recipe} {flags}`

torch {torch.__version__}, {platform.machine()}, {options.threads} thread(s), float32. {setting}.
{len(stream(options.data, "train")):,} training tokens, {len(stream(options.data, "val")):,} validation tokens.

The programs take turns step by step on the same shards. The script reads the training tokens {pair.order}; the reference
shuffles them{also}. The loss is that of the validation shards after the last step, in disjoint windows.

{newline.join(summary)}

| seed | program | validation loss (nats) | median ms per step |
|---|---|---|---|
{newline.join(rows)}
"""


def main() -> None:
    parser = argparse.ArgumentParser(description="a recipe, scaled down, against the public script that it stands for")
    parser.add_argument("official", type=Path, help="the script")
    parser.add_argument("data", type=Path, help="folder of the shards and the tokenizer")
    parser.add_argument("--recipe", choices=sorted(PAIRS), default="naive")
    parser.add_argument("--seeds", default="42,314,999")
    parser.add_argument("--steps", type=int, default=Setting.steps)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--order", choices=("own", "official", "drawn"), default="own", help=argparse.SUPPRESS)
    parser.add_argument("--work", type=int, metavar="SEED", help=argparse.SUPPRESS)
    options = parser.parse_args()
    pair = PAIRS[options.recipe]
    setting = replace(pair.setting, steps=options.steps)
    if options.work is not None:
        work(pair, options.data, options.work, setting, options.order)
        return
    seeds = [int(seed) for seed in options.seeds.split(",")]
    runs = compare(seeds, options, pair, setting)
    page = HERE / ("against_official.md" if pair.recipe == "naive" else f"against_{pair.recipe}.md")
    page.write_text(report(runs, seeds, options, pair, setting), encoding="utf-8")


if __name__ == "__main__":
    main()
