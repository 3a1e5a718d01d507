"""Every way in which a run diverges ends it with one sentence, and leaves no checkpoint of what came after."""

import math
from pathlib import Path

import pytest
import torch
from corpora import prepared
from runs import BRISK, brisk
from threads import on_ranks
from torch import Tensor
from toys import CountingLoader, small

from pgolf_ref.checkpoint import Checkpoints
from pgolf_ref.cli import FAILED, main
from pgolf_ref.clock import Clock
from pgolf_ref.config import Config
from pgolf_ref.distributed import World
from pgolf_ref.divergence import SETTLED, SPIKE, Diverged, Guard
from pgolf_ref.errors import UserError
from pgolf_ref.log import Log, silent
from pgolf_ref.run import log_name, run_seed, with_seed
from pgolf_ref.train import Trainer, build_model, train

BAD = [math.nan, math.inf]


def guard(world: World | None = None) -> Guard:
    return Guard(40, world or World.single("cpu"))


def scalars(loss: float, norm: float) -> tuple[Tensor, Tensor]:
    return torch.tensor(loss), torch.tensor(norm, dtype=torch.float64)


@pytest.mark.parametrize("bad", [*BAD, -math.inf])
@pytest.mark.parametrize(("loss", "what"), [(True, "the loss of step 3"), (False, "the norm of the gradient of step 3")])
def test_a_loss_or_norm_that_is_no_number_is_seen_whenever_it_was(bad: float, loss: bool, what: str) -> None:
    if bad < 0 and not loss:
        bad = -bad  # a norm is not negative
    for place in range(3):
        one = guard()
        for step in range(3):
            now = bad if step == place else 1.0
            one.take(*(scalars(now, 1.0) if loss else scalars(1.0, now)))
        with pytest.raises(Diverged, match=what) as caught:
            one.look(3)
        assert caught.value.step == 3 and str(caught.value).count("\n") == 0


def test_what_was_looked_at_is_not_looked_at_again() -> None:
    one = guard()
    one.take(*scalars(1e30, 1e30))
    one.look(1)
    one.look(2)


@pytest.mark.parametrize("bad", BAD)
def test_every_rank_ends_when_one_has_diverged(bad: float) -> None:
    def work(world: World) -> str:
        one = guard(world)
        one.take(*scalars(bad if world.rank == 1 else 1.0, 1.0))
        with pytest.raises(Diverged) as caught:
            one.look(1)
        return str(caught.value)

    assert len(set(on_ranks(3, work))) == 1


def test_a_loss_beyond_any_guess_is_a_spike_once_the_run_has_settled() -> None:
    limit = SPIKE * math.log(40)
    guard().refuse_spike(1, SETTLED, 0.999 * limit)
    guard().refuse_spike(1, 0.99 * SETTLED, 100 * limit)
    with pytest.raises(Diverged, match="that of a uniform guess 3.6889"):
        guard().refuse_spike(1, SETTLED, 1.001 * limit)


@pytest.mark.parametrize("bad", BAD)
def test_weights_that_are_no_numbers_are_refused(bad: float) -> None:
    weights = [torch.ones(2, 3), torch.empty(0), torch.ones(4)]
    guard().refuse_weights(5, weights)
    weights[2][1] = bad
    with pytest.raises(Diverged, match="weights after step 5"):
        guard().refuse_weights(5, weights)


# In a run


class Broken(Trainer):
    """A trainer whose objective is another after a number of steps."""

    after, factor = 3, math.nan

    def step(self, step: int, fraction: float) -> Tensor:
        objective = self._loss
        if step == self.after:
            self._loss = lambda *batch: objective(*batch) * self.factor
        try:
            return super().step(step, fraction)
        finally:
            self._loss = objective


class InfiniteGradient(torch.autograd.Function):
    """The identity, with a gradient that is none."""

    @staticmethod
    def forward(context: object, value: Tensor) -> Tensor:
        return value.clone()

    @staticmethod
    def backward(context: object, gradient: Tensor) -> Tensor:
        return gradient * math.inf


class Overflowing(Trainer):
    """A trainer whose last step has a loss, but no gradient."""

    def step(self, step: int, fraction: float) -> Tensor:
        objective = self._loss
        if step == self.config.run.steps - 1:
            self._loss = lambda *batch: InfiniteGradient.apply(objective(*batch))
        try:
            return super().step(step, fraction)
        finally:
            self._loss = objective


def run(config: Config, kind: type[Trainer], monkeypatch: pytest.MonkeyPatch, **options: object) -> None:
    monkeypatch.setattr("pgolf_ref.train.Trainer", kind)
    train(config, CountingLoader(config), Clock(), options.pop("log", silent()), **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("clip", ["optim.clip_norm=0", "optim.clip_norm=1"])
def test_an_infinite_gradient_of_the_last_step_ends_the_run(clip: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Diverged, match="the norm of the gradient of step 6"):
        run(small(clip), Overflowing, monkeypatch)


def test_a_spike_ends_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Broken, "factor", 10.0)
    with pytest.raises(Diverged, match="the loss of step 4 is .* that of a uniform guess"):
        run(small(), Broken, monkeypatch)
    monkeypatch.setattr(Broken, "after", 0)
    run(small("run.steps=100"), Broken, monkeypatch)


class Spoiling(Trainer):
    """A trainer whose last step leaves a weight that is no number."""

    def step(self, step: int, fraction: float) -> Tensor:
        loss = super().step(step, fraction)
        if step == self.config.run.steps - 1:
            with torch.no_grad():
                next(self.model.parameters()).view(-1)[3] = math.nan
        return loss


def test_a_step_that_leaves_no_numbers_ends_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """The step is the last: no loss tells of it."""
    with pytest.raises(Diverged, match="weights after step 6"):
        run(small(), Spoiling, monkeypatch)


def test_no_checkpoint_is_of_a_run_that_has_diverged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The loss of step 24 is the first that is none; the log would look at step 30, the checkpoint at step 25."""
    monkeypatch.setattr(Broken, "after", 23)
    config = small("run.steps=30", "run.log_every=30")
    kept = Checkpoints(tmp_path / "checkpoint.npz", "one", 5, World.single("cpu"))
    log = Log(tmp_path / "run.log", None)
    with pytest.raises(Diverged, match="the loss of step 25 or shortly before is nan"):
        run(config, Broken, monkeypatch, checkpoints=kept, log=log)
    log.close()
    found = kept.read()
    assert found is not None and found.reached.step == 20
    assert all(bool(torch.isfinite(tensor).all()) for tensor in found.tensors.values() if tensor.is_floating_point())
    assert (tmp_path / "run.log").read_text(encoding="utf-8").splitlines()[-1].startswith("training diverged: ")
    assert '{"event": "diverged", "step": 25}' in (tmp_path / "run.events.jsonl").read_text(encoding="utf-8")


def test_the_guard_changes_nothing() -> None:
    """The norm that a step returns is that of its gradient, clipped or not."""
    norms = []
    for clip in ("optim.clip_norm=0", "optim.clip_norm=0.001", "optim.clip_norm=1e9"):
        config = small(clip)
        model = build_model(config, torch.device("cpu"))
        trainer = Trainer(config, model, CountingLoader(config), World.single("cpu"))
        trainer.step(0, 0.0)
        norms.append(trainer.gradient_norm)
    assert norms[0] == pytest.approx(norms[1]) and norms[0] == norms[2] > 0.001


def test_a_diverged_run_is_exit_code_1_and_leaves_nothing_that_looks_finished(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    arguments = ["run", "--recipe", "tiny", *(f"--set={value}" for value in BRISK), "--set=optim.scalar_lr=1e36"]
    assert main([*arguments, "--data", str(prepared()), "--seeds", "1", "--out", str(out)]) == FAILED
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("pgolf-train: training diverged: ") and "lower the learning rates" in error
    assert not any(not path.name.startswith(".") for path in out.iterdir())


def test_test_time_training_that_diverges_is_no_claim(tmp_path: Path) -> None:
    config = with_seed(brisk("ttt.lr=1e30", "ttt.clip_norm=0", "ttt.chunk_tokens=120", "evaluate.stride=12"), 3, str(prepared()))
    with pytest.raises(UserError, match="the pass int6_ttt diverged: its loss is "):
        run_seed(config, "# script", tmp_path, World.single("cpu"))
    assert not (tmp_path / log_name(3)).exists()
