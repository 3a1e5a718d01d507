"""Training runs of a few steps: what they depend on, what they log, when they stop."""

import re
from pathlib import Path

import pytest
import torch
from toys import CountingLoader, largest_difference, small, weights

from pgolf_ref import train as train_module
from pgolf_ref.clock import Clock
from pgolf_ref.config import Config
from pgolf_ref.errors import UserError
from pgolf_ref.log import RULE, Log, final_lines, silent, size_lines, source_header
from pgolf_ref.model.gpt import GPT
from pgolf_ref.train import TrainResult, train


def run(config: Config) -> TrainResult:
    return train(config, CountingLoader(config), Clock(), silent())


class Lines(Log):
    """A log in memory."""

    def __init__(self) -> None:
        super().__init__(None, None)
        self.lines: list[str] = []

    def __call__(self, line: str, *, shown: bool = True) -> None:
        self.lines.append(line)


def test_the_same_seeds_give_the_same_weights_bit_by_bit() -> None:
    first, second = run(small()), run(small())
    assert all(torch.equal(a, b) for a, b in zip(weights(first.model), weights(second.model), strict=True))


@pytest.mark.parametrize("seed", ["run.seed_init=7", "run.seed_data=7"])
def test_each_seed_matters(seed: str) -> None:
    assert largest_difference(weights(run(small()).model), weights(run(small(seed)).model)) > 1e-3


def test_training_leaves_the_global_generator_alone() -> None:
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    run(small())
    assert torch.equal(torch.rand(1), expected)


@pytest.mark.parametrize("slots", [1, 2, 8])
def test_weights_do_not_depend_on_the_number_of_slots(slots: int) -> None:
    """The gradient is the mean over the slots: cutting the same rows otherwise changes rounding alone."""
    whole, cut = run(small()), run(small(f"data.slots={slots}"))
    assert largest_difference(weights(whole.model), weights(cut.model)) < 1e-9


@pytest.mark.parametrize("tokens", [1, 60])
def test_weights_do_not_depend_on_how_slots_share_passes(tokens: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """One slot of 24 tokens at a time, or two, or all four."""
    joined = run(small())
    monkeypatch.setattr(train_module, "PASS_TOKENS", tokens)
    assert largest_difference(weights(joined.model), weights(run(small()).model)) < 1e-9


def test_every_slot_of_every_step_is_read_once() -> None:
    config = small()
    loader = CountingLoader(config)
    train(config, loader, Clock(), silent())
    assert loader.asked == [(step, slot) for step in range(6) for slot in range(4)]


def test_loss_falls() -> None:
    config = small("run.steps=40", "run.dtype=float32", "optim.matrix_lr=0.02")
    log = Lines()
    train(config, CountingLoader(config), Clock(), log)
    losses = [float(match[1]) for line in log.lines if (match := re.search(r"train_loss:([\d.]+)", line))]
    assert losses[-1] < losses[0] - 0.5


def test_log_lines_follow_the_public_grammar() -> None:
    log = Lines()
    config = small("run.validate_every=3")
    train(config, CountingLoader(config), Clock(), log, validate=lambda model: (2.5, 1.25))
    assert f"model_params:{sum(p.numel() for p in GPT(config.model).parameters())}" in log.lines
    trained = [
        line for line in log.lines if re.fullmatch(r"step:\d+/6 train_loss:\d+\.\d{4} train_time:\d+ms step_avg:[\d.]+ms", line)
    ]
    assert [int(line.split("/")[0][5:]) for line in trained] == [1, 2, 3, 4, 5, 6]
    pattern = r"step:\d+/6 val_loss:2\.5000 val_bpb:1\.2500 train_time:\d+ms step_avg:[\d.]+ms"
    validated = [line for line in log.lines if re.fullmatch(pattern, line)]
    assert [int(line.split("/")[0][5:]) for line in validated] == [0, 3, 6]


class Ticking:
    """A clock on which every look takes a second."""

    def __init__(self) -> None:
        self.at = 0.0

    def __call__(self) -> float:
        self.at += 1.0
        return self.at


def test_the_budget_ends_training() -> None:
    log = Lines()
    config = small("run.steps=1000", "run.budget_seconds=20")
    result = train(config, CountingLoader(config), Clock(Ticking()), log)
    assert 2 < result.steps < 30
    stops = [line for line in log.lines if line.startswith("stopping_early: wallclock_cap train_time:")]
    assert len(stops) == 1
    assert stops[0].endswith(f" step:{result.steps}/1000")
    assert 20 <= int(stops[0].split("train_time:")[1].split("ms")[0]) / 1000 < 25


def test_validation_time_is_not_training_time() -> None:
    clock_hand = [0.0]

    def validate(model: GPT) -> tuple[float, float]:
        clock_hand[0] += 1000.0
        return 1.0, 1.0

    config = small("run.validate_every=1")
    result = train(config, CountingLoader(config), Clock(lambda: clock_hand[0]), silent(), validate=validate)
    assert result.seconds == 0.0
    assert clock_hand[0] == 7000.0


def test_the_result_is_the_weight_average() -> None:
    """A long horizon keeps the result near the start, a short one near the last weights."""
    last = run(small("optim.ema_horizon=0.0"))
    near = run(small("optim.ema_horizon=0.001"))
    far = run(small("optim.ema_horizon=0.9"))
    assert largest_difference(weights(last.model), weights(near.model)) < 1e-9
    assert largest_difference(weights(last.model), weights(far.model)) > 1e-3


def test_a_diverged_run_says_so() -> None:
    config = small("optim.scalar_lr=1e200", "optim.matrix_lr=1e200")
    with pytest.raises(UserError, match="training diverged: the loss of step"):
        run(config)


def test_warm_up_changes_nothing() -> None:
    assert largest_difference(weights(run(small()).model), weights(run(small("run.warmup_steps=2")).model)) == 0.0


def test_the_log_begins_with_the_source(tmp_path: Path) -> None:
    log = Log(tmp_path / "run.log", None)
    source_header(log, "print(1)\n", "Python 3")
    log("seed:42")
    log.close()
    assert (tmp_path / "run.log").read_text(encoding="utf-8").splitlines() == ["print(1)", RULE, "Python 3", RULE, "seed:42"]


def test_size_and_final_lines() -> None:
    assert size_lines("int8+brotli", 100, 20)[-1] == "Total submission size int8+brotli: 120 bytes"
    assert final_lines("int8_brotli_roundtrip", 2.0, 1.0 / 3, 1.5) == (
        "final_int8_brotli_roundtrip val_loss:2.0000 val_bpb:0.3333 eval_time:1500ms",
        "final_int8_brotli_roundtrip_exact val_loss:2.00000000 val_bpb:0.33333333",
    )
