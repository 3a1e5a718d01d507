"""A run that is interrupted anywhere goes on as if it had not been."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from corpora import prepared
from runs import brisk
from toys import CountingLoader, small, weights

from pgolf_ref.checkpoint import Checkpoints, Reached
from pgolf_ref.clock import Clock
from pgolf_ref.config import Config
from pgolf_ref.distributed import World
from pgolf_ref.errors import UserError
from pgolf_ref.log import Log, silent
from pgolf_ref.run import checkpoint_name, log_name, remove_checkpoint, run_seed, with_seed
from pgolf_ref.train import TrainResult, train

ROOT = Path(__file__).resolve().parents[2]
STATEFUL = (
    "model.block.stochastic_depth=0.3",
    "losses.mtp_heads=1",
    "optim.clip_norm=0.5",
    "optim.ema_horizon=0.2",
    "run.dtype=float32",
)


class Interrupted(Exception):
    """Stands for the end of a process."""


class Failing(CountingLoader):
    """A loader that fails at one batch."""

    def __init__(self, config: Config, step: int, slot: int) -> None:
        super().__init__(config)
        self._last = step, slot

    def batch(self, step: int, slot: int) -> tuple[torch.Tensor, torch.Tensor]:
        if (step, slot) == self._last:
            raise Interrupted
        return super().batch(step, slot)


def checkpoints(folder: Path, every: int = 2, identity: str = "one") -> Checkpoints:
    return Checkpoints(folder / "checkpoint.npz", identity, every, World.single())


def go_on(config: Config, folder: Path) -> TrainResult:
    kept = checkpoints(folder)
    return train(config, CountingLoader(config), Clock(), silent(), checkpoints=kept, resumed=kept.read())


@pytest.mark.parametrize(("step", "slot"), [(0, 2), (1, 0), (2, 3), (5, 1)])
def test_resumed_weights_are_those_of_an_undisturbed_run(step: int, slot: int, tmp_path: Path) -> None:
    config = small(*STATEFUL)
    calm = weights(train(config, CountingLoader(config), Clock(), silent()).model)
    with pytest.raises(Interrupted):
        train(config, Failing(config, step, slot), Clock(), silent(), checkpoints=checkpoints(tmp_path))
    assert (checkpoints(tmp_path).read() is None) == (step < 2)
    assert all(torch.equal(a, b) for a, b in zip(calm, weights(go_on(config, tmp_path).model), strict=True))


def test_a_run_goes_on_with_other_batches_than_those_it_has_seen(tmp_path: Path) -> None:
    config = small()
    with pytest.raises(Interrupted):
        train(config, Failing(config, 5, 0), Clock(), silent(), checkpoints=checkpoints(tmp_path))
    kept, loader = checkpoints(tmp_path), CountingLoader(config)
    train(config, loader, Clock(), silent(), checkpoints=kept, resumed=kept.read())
    assert loader.asked == [(step, slot) for step in (4, 5) for slot in range(4)]


def test_a_finished_training_is_not_repeated(tmp_path: Path) -> None:
    config = small(*STATEFUL)
    first = go_on(config, tmp_path)
    second = go_on(config, tmp_path)
    assert all(torch.equal(a, b) for a, b in zip(weights(first.model), weights(second.model), strict=True))
    assert second.steps == first.steps == 6


def test_the_time_before_the_interruption_counts(tmp_path: Path) -> None:
    config = small("run.steps=1000", "run.budget_seconds=60")
    checkpoints(tmp_path).write(Reached(step=4, fraction=0.5, seconds=59.0), _state_after_one_step(tmp_path))
    ticks = iter(range(10**6))
    kept = checkpoints(tmp_path)
    result = train(
        config, CountingLoader(config), Clock(lambda: float(next(ticks))), silent(), checkpoints=kept, resumed=kept.read()
    )
    assert result.steps == 5


def _state_after_one_step(folder: Path) -> dict[str, torch.Tensor]:
    config = small("run.steps=1")
    go_on(config, folder)
    found = checkpoints(folder).read()
    assert found is not None
    return found.tensors


def test_what_is_read_is_what_was_written(tmp_path: Path) -> None:
    tensors = {"a.b": torch.randn(3, 2, dtype=torch.float64), "count": torch.tensor(7), "none": torch.zeros(0)}
    reached = Reached(3, 0.25, 1.5, 100, 200)
    checkpoints(tmp_path).write(reached, tensors)
    found = checkpoints(tmp_path).read()
    assert found is not None and found.reached == reached
    assert tensors.keys() == found.tensors.keys()
    assert all(torch.equal(tensors[name], found.tensors[name]) for name in tensors)


def test_a_checkpoint_of_another_run_is_refused(tmp_path: Path) -> None:
    checkpoints(tmp_path).write(Reached(), {})
    with pytest.raises(UserError, match="of another configuration, code or data"):
        checkpoints(tmp_path, identity="two").read()


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04 no archive", b"text"])
def test_a_damaged_checkpoint_is_told(damage: bytes, tmp_path: Path) -> None:
    (tmp_path / "checkpoint.npz").write_bytes(damage)
    with pytest.raises(UserError, match="is no checkpoint"):
        checkpoints(tmp_path).read()


def test_a_checkpoint_holds_no_pickle(tmp_path: Path) -> None:
    go_on(small(*STATEFUL), tmp_path)
    with np.load(tmp_path / "checkpoint.npz", allow_pickle=False) as file:
        assert all(file[name].dtype != object for name in file.files)


def test_a_killed_run_goes_on_bit_by_bit() -> None:
    """Four of the points of bench/kills.py: at any time twice, within a checkpoint, within the export."""
    command = [sys.executable, str(ROOT / "bench" / "kills.py"), str(prepared()), "--points", "4", "--seed", "5"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1:] == ["4 of 4 points: bit-equal"], done.stdout + done.stderr


def test_a_run_that_ended_before_its_results_were_kept_ends_again(tmp_path: Path) -> None:
    """The log has its name already; the checkpoint is still there."""
    config = with_seed(brisk(), 5, str(prepared()))
    first = run_seed(config, "# script", tmp_path, World.single())
    assert (tmp_path / checkpoint_name(5)).exists()
    second = run_seed(config, "# script", tmp_path, World.single())
    assert (first.val_bpb, first.steps) == (second.val_bpb, second.steps)
    text = (tmp_path / log_name(5)).read_text(encoding="utf-8")
    assert text.count("step:1/3 train_loss") == 1 and text.count("resumed: step:3/3") == 1
    remove_checkpoint(tmp_path, 5, World.single())
    assert not list(tmp_path.glob(".*"))


def test_a_log_goes_on_where_it_still_holds(tmp_path: Path) -> None:
    path = tmp_path / ".run.log.partial"
    log = Log(path, None)
    log.event("train", "step 1", step=1)
    kept = log.size
    log.event("train", "stép 2", step=2)
    log.close()
    again = Log(path, None, kept)
    again.event("train", "step 3", step=3)
    again.close()
    assert path.read_text(encoding="utf-8") == "step 1\nstep 3\n"
    events = (tmp_path / ".run.events.jsonl").read_text(encoding="utf-8")
    assert events == '{"event": "train", "step": 1}\n{"event": "train", "step": 3}\n'
