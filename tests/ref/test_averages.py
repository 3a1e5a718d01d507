"""Means of snapshots and blends of averages, against plain computations."""

import math

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given, settings
from torch import nn

from pgolf_ref.config import OptimConfig
from pgolf_ref.optim.averages import Averages
from pgolf_ref.optim.snapshots import SnapshotAverage


def _walk(parameter: nn.Parameter, average: SnapshotAverage | Averages, steps: int, first: int = 0) -> None:
    """Weights that are the number of the step."""
    for step in range(first, steps):
        with torch.no_grad():
            parameter.fill_(float(step + 1))
        if isinstance(average, Averages):
            average.update(step + 1, (step + 1) / steps)
        else:
            average.update((step + 1) / steps)


@pytest.mark.parametrize(
    ("last", "mean"), [(0, (80 + 85 + 90 + 95 + 100) / 5), (2, (95 + 100) / 2), (9, (80 + 85 + 90 + 95 + 100) / 5)]
)
def test_snapshots_are_taken_when_due_and_averaged(last: int, mean: float) -> None:
    parameter = nn.Parameter(torch.zeros(3, dtype=torch.float64))
    average = SnapshotAverage([parameter], 0.2, 0.05, last)
    _walk(parameter, average, 100)
    assert average.mean is not None and average.mean[0].tolist() == pytest.approx([mean] * 3)


@settings(deadline=None)
@given(steps=st.integers(1, 50), tail=st.floats(0.01, 1), every=st.floats(0.01, 1), last=st.integers(0, 3))
def test_the_mean_of_constant_weights_is_those_weights(steps: int, tail: float, every: float, last: int) -> None:
    parameter = nn.Parameter(torch.randn(2, dtype=torch.float64))
    average = SnapshotAverage([parameter], tail, every, last)
    for step in range(steps):
        average.update((step + 1) / steps)
    assert average.mean is not None
    torch.testing.assert_close(average.mean[0], parameter.detach())


@pytest.mark.parametrize("last", [0, 2])
def test_a_run_that_goes_on_has_the_same_mean(last: int) -> None:
    config = OptimConfig(swa_tail=0.5, swa_every=0.1, swa_last=last, ema_horizon=0.2)
    parameter = nn.Parameter(torch.zeros(2, dtype=torch.float64))
    whole = Averages([parameter], config)
    _walk(parameter, whole, 20)
    whole.store()
    expected = parameter.detach().clone()
    parameter.data.zero_()
    first = Averages([parameter], config)
    for step in range(13):
        parameter.data.fill_(float(step + 1))
        first.update(step + 1, (step + 1) / 20)
    second = Averages([parameter], config)
    second.load_state_dict(first.state_dict())
    _walk(parameter, second, 20, first=13)
    second.store()
    torch.testing.assert_close(parameter.detach(), expected, rtol=0, atol=0)


@pytest.mark.parametrize(
    ("config", "weight"),
    [
        (OptimConfig(), 100.0),
        (OptimConfig(swa_tail=0.1, swa_every=0.05), 95.0),
        (OptimConfig(swa_tail=0.1, swa_every=0.05, ema_horizon=1e-9, ema_share=0.25), 0.25 * 100 + 0.75 * 95),
    ],
)
def test_what_is_exported(config: OptimConfig, weight: float) -> None:
    """A moving average without memory is the last weights."""
    parameter = nn.Parameter(torch.zeros(1, dtype=torch.float64))
    averages = Averages([parameter], config)
    _walk(parameter, averages, 100)
    averages.store()
    assert parameter.item() == pytest.approx(weight)


@pytest.mark.parametrize("every", [1, 10, 7])
def test_the_moving_average_looks_at_every_so_many_steps_and_the_last(every: int) -> None:
    """By the definition: each look keeps exp(-progress since the last look / horizon)."""
    parameter = nn.Parameter(torch.zeros(1, dtype=torch.float64))
    averages = Averages([parameter], OptimConfig(ema_horizon=0.2, ema_every=every))
    expected, looked = 0.0, 0
    for step in range(1, 101):
        parameter.data.fill_(float(step))
        averages.update(step, step / 100)
        if step % every == 0 or step == 100:
            keep = math.exp(-(step - looked) / 100 / 0.2)
            expected, looked = keep * expected + (1 - keep) * step, step
    averages.store()
    assert parameter.item() == pytest.approx(expected)
