"""Kills a run by SIGKILL at random points, lets it go on, and compares what it leaves with a run that nobody disturbed.

    python bench/kills.py DATA_FOLDER --points 20 --seed 1

Points are drawn over the run's time, within the writing of a checkpoint, and within the writing of the artifact. What has to be equal
bit by bit: weights, moments, average and generators after the last step, the artifact, and every line of the log but its times.
"""

import argparse
import os
import random
import re
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pgolf_ref import checkpoint as checkpoint_module
from pgolf_ref import run as run_module
from pgolf_ref.config import Config, load_recipe
from pgolf_ref.data.tokenizer import load_tokenizer
from pgolf_ref.distributed import World
from pgolf_ref.files import whole_file

SEED = 3
TIMES = re.compile(r"train_time:.*|seconds:[\d.]+|(eval_time:|total_eval_time:)[\d.]+m?s|peak memory .*")
REPEATED = ("resumed: ", "phase:data ", "phase:warm-up ")  # begins lines that a run writes whenever it goes on
KINDS = ("time", "checkpoint", "time", "export")
NOTE = """# Runs that were killed go on bit by bit

`python bench/kills.py DATA_FOLDER --points {points} --seed {seed} --note bench/kills.md`

A run of 40 steps with clipping, stochastic depth, an auxiliary head and a weight average is killed by SIGKILL,
goes on from its last checkpoint, and is compared with an undisturbed run: weights, moments, average and generators after the last
step, the artifact, the ledger and every line of the log but its times. {summary}.

{listed}
"""
OVERRIDES = (
    "model.layers=3",
    "model.dim=32",
    "model.block.stochastic_depth=0.2",
    "losses.mtp_heads=1",
    "data.seq_len=32",
    "data.batch_tokens=256",
    "data.slots=2",
    "optim.clip_norm=0.5",
    "run.steps=40",
    "run.budget_seconds=0",
    "run.log_every=1",
    "run.checkpoint_every=7",
    "evaluate.stride=32",
    "ttt.epochs=0",
)


def configuration(data: Path) -> Config:
    vocabulary = load_tokenizer(next(data.glob("*.model"))).vocab_size()
    return load_recipe("tiny", [*OVERRIDES, f"data.path='{data}'", f"model.vocab_size={vocabulary}"])


def child(work: Callable[[], Any]) -> int:
    """Start a process that does the work; its number."""
    number = os.fork()
    if number == 0:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        work()
        os._exit(0)
    return number


def ended(number: int) -> int:
    """Wait for a process; 0, or the signal that ended it."""
    return os.waitstatus_to_exitcode(os.waitpid(number, 0)[1])


def half_written(path: Path, data: bytes, share: float) -> None:
    """Write part of a file and die."""
    with whole_file(path) as file:
        file.write(data[: int(share * len(data))])
        file.flush()
        os.kill(os.getpid(), signal.SIGKILL)


def killed_in_checkpoint(run: Callable[[], object], which: int, share: float) -> None:
    """Die while the checkpoint number `which` is written."""
    write, count = np.savez, 0

    def savez(file: Any, **arrays: Any) -> None:
        nonlocal count
        count += 1
        write(file, **arrays)
        if count > which:
            file.truncate(int(share * file.tell()))
            file.flush()
            os.kill(os.getpid(), signal.SIGKILL)

    checkpoint_module.np.savez = savez  # type: ignore[assignment]
    run()


def killed_in_export(run: Callable[[], object], share: float) -> None:
    """Die while the artifact is written."""
    run_module.write_bytes = lambda path, data: half_written(path, data, share)
    run()


def left_by(out: Path) -> dict[str, Any]:
    """What a run has left, without its times."""
    with np.load(out / run_module.checkpoint_name(SEED)) as file:
        state = {name: file[name].tobytes() for name in file.files if name != checkpoint_module.META}
    log = (out / run_module.log_name(SEED)).read_text(encoding="utf-8").splitlines()
    lines = [TIMES.sub("", line) for line in log if not line.startswith(REPEATED)]
    artifact = (out / run_module.artifact_name(SEED)).read_bytes()
    return {**state, "artifact": artifact, "log": lines, "ledger": (out / run_module.ledger_name(SEED)).read_bytes()}


def main() -> int:
    parser = argparse.ArgumentParser(description="kill a run at random points and compare")
    parser.add_argument("data", type=Path, help="folder of the shards and the tokenizer")
    parser.add_argument("--points", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1, help="of the points")
    parser.add_argument("--note", type=Path, help="Markdown file for the figures")
    options = parser.parse_args()
    torch.set_num_threads(1)
    config = run_module.with_seed(configuration(options.data), SEED, str(options.data))
    with tempfile.TemporaryDirectory() as folder:
        told = list(compare(config, Path(folder), options.points, random.Random(options.seed)))
    equal = sum(line.endswith(": equal") for line in told)
    summary = f"{equal} of {options.points} points: bit-equal"
    print(summary)
    if options.note:
        listed = "\n".join(f"* {line}" for line in told)
        options.note.write_text(NOTE.format(points=options.points, seed=options.seed, summary=summary, listed=listed))
    return 0 if equal == options.points else 1


def compare(config: Config, folder: Path, points: int, draw: random.Random) -> Iterator[str]:
    """One line for every point: how the run was killed, and what differs after it went on."""

    def run(name: str) -> Callable[[], object]:
        return lambda: run_module.run_seed(config, "# script", folder / name, World.single("cpu"))

    started = time.perf_counter()
    assert ended(child(run("calm"))) == 0, "the undisturbed run has failed"
    seconds, expected = time.perf_counter() - started, left_by(folder / "calm")
    for point in range(points):
        again = run(str(point))
        while True:
            what, status = killed(again, KINDS[point % len(KINDS)], seconds, config, draw)
            if status == -signal.SIGKILL:
                break
            shutil.rmtree(folder / str(point))  # it had ended before
        assert ended(child(again)) == 0, f"killed {what}, the run does not go on"
        found = left_by(folder / str(point))
        differing = sorted(name for name in expected.keys() | found.keys() if found.get(name) != expected.get(name))
        line = f"killed {what}: {', '.join(differing) or 'equal'}"
        print(line, flush=True)
        yield line
        shutil.rmtree(folder / str(point))


def killed(run: Callable[[], object], kind: str, seconds: float, config: Config, draw: random.Random) -> tuple[str, int]:
    """Kill a run at a point of a kind; the point in words, and how the process ended."""
    share = draw.random()
    if kind == "time":
        number = child(run)
        time.sleep(share * seconds)
        os.kill(number, signal.SIGKILL)
        return f"after {share * seconds:.2f} of {seconds:.2f} s", ended(number)
    if kind == "checkpoint":
        count = config.run.steps // config.run.checkpoint_every + 1
        which = draw.randrange(count)
        status = ended(child(lambda: killed_in_checkpoint(run, which, share)))
        return f"in checkpoint {which + 1} of {count}, {share:.0%} written", status
    return f"in the export, {share:.0%} written", ended(child(lambda: killed_in_export(run, share)))


if __name__ == "__main__":
    sys.exit(main())
