"""Optimizers against plain float64 computations; schedules and the weight average by their properties."""

import math

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given
from torch import nn

from pgolf_ref.config import OptimConfig
from pgolf_ref.distributed import World
from pgolf_ref.optim.adam import Adam
from pgolf_ref.optim.ema import WeightAverage
from pgolf_ref.optim.muon import Muon, orthogonalise
from pgolf_ref.optim.schedule import lr_multiplier, momentum, progress

SHAPES = [(6, 6), (4, 10), (10, 4), (6, 6), (1, 5)]


def _reference_update(gradient: np.ndarray, steps: int) -> np.ndarray:
    """Newton-Schulz acts on singular values alone: x -> a x + b x^3 + c x^5, here through the SVD."""
    u, s, v = np.linalg.svd(gradient, full_matrices=False)
    s = s / (np.linalg.norm(gradient) + 1e-7)
    for _ in range(steps):
        s = 3.4445 * s - 4.7750 * s**3 + 2.0315 * s**5
    return (u * s) @ v * max(1.0, gradient.shape[0] / gradient.shape[1]) ** 0.5


def test_muon_against_a_float64_reference() -> None:
    """Five steps with a changing rate and momentum, matrices of several shapes."""
    random = np.random.default_rng(0)
    parameters = [nn.Parameter(torch.from_numpy(random.standard_normal(shape))) for shape in SHAPES]
    expected = [p.detach().numpy().copy() for p in parameters]
    buffers = [np.zeros(shape) for shape in SHAPES]
    muon = Muon(parameters, 5, World.single())
    for step in range(5):
        lr, mu = 0.1 / (step + 1), 0.8 + 0.03 * step
        gradients = [random.standard_normal(shape) for shape in SHAPES]
        for i, gradient in enumerate(gradients):
            buffers[i] = mu * buffers[i] + gradient
            expected[i] -= lr * _reference_update(gradient + mu * buffers[i], 5)
            parameters[i].grad = torch.from_numpy(gradient.copy())
        muon.step(lr, mu)
    for parameter, value in zip(parameters, expected, strict=True):
        np.testing.assert_allclose(parameter.detach().numpy(), value, atol=1e-9)


@given(rows=st.integers(2, 24), columns=st.integers(2, 24), scale=st.floats(1e-3, 1e3), seed=st.integers(0, 999))
def test_orthogonalised_singular_values_are_near_one(rows: int, columns: int, scale: float, seed: int) -> None:
    """And do not depend on the size of the gradient."""
    base = torch.randn(1, rows, columns, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    u, s, v = torch.linalg.svd(base, full_matrices=False)
    well_conditioned = u @ torch.diag_embed(s.clamp(min=0.1 * float(s.max()))) @ v
    result = orthogonalise(well_conditioned, 5)
    values = torch.linalg.svdvals(result)
    assert float(values.min()) > 0.5
    assert float(values.max()) < 1.3
    torch.testing.assert_close(orthogonalise(scale * well_conditioned, 5), result, rtol=0, atol=1e-3)


def test_a_zero_gradient_moves_nothing() -> None:
    """The first step of a fresh model gives some matrices no gradient."""
    assert torch.equal(orthogonalise(torch.zeros(2, 3, 4), 5), torch.zeros(2, 3, 4))


def test_adam_is_that_of_torch() -> None:
    torch.manual_seed(0)
    ours = [nn.Parameter(torch.randn(3, 4, dtype=torch.float64)), nn.Parameter(torch.randn(5, dtype=torch.float64))]
    theirs = [nn.Parameter(p.detach().clone()) for p in ours]
    adam, reference = Adam(ours, (0.9, 0.95), 1e-8), torch.optim.Adam(theirs, betas=(0.9, 0.95), eps=1e-8)
    for step in range(6):
        for group in reference.param_groups:
            group["lr"] = 0.1 / (step + 1)
        for p, q in zip(ours, theirs, strict=True):
            p.grad = torch.randn_like(p)
            q.grad = p.grad.clone()
        adam.step(0.1 / (step + 1))
        reference.step()
    for p, q in zip(ours, theirs, strict=True):
        torch.testing.assert_close(p, q, rtol=0, atol=1e-12)


FRACTIONS = st.floats(0, 1)


@given(first=FRACTIONS, second=FRACTIONS, warmdown=FRACTIONS, floor=FRACTIONS)
def test_rate_never_rises_and_stays_in_range(first: float, second: float, warmdown: float, floor: float) -> None:
    optim = OptimConfig(warmdown=warmdown, min_lr=floor)
    early, late = sorted((first, second))
    assert 1.0 >= lr_multiplier(early, optim) >= lr_multiplier(late, optim) - 1e-12
    assert lr_multiplier(late, optim) >= floor - 1e-12


@given(step=st.integers(0, 99))
def test_rate_in_step_form_is_the_official_one(step: int) -> None:
    """(iterations - step) / warmdown_iters over the last 40 of 100 steps, 1 before."""
    fraction = progress(step, 100, 0.0, 0.0)
    official = (100 - step) / 40 if step >= 60 else 1.0
    assert lr_multiplier(fraction, OptimConfig(warmdown=0.4)) == pytest.approx(official)


def test_ends_of_the_schedules() -> None:
    optim = OptimConfig(warmdown=0.5, min_lr=0.1, momentum=0.95, momentum_start=0.85, momentum_warmup=0.2)
    assert [lr_multiplier(f, optim) for f in (0.0, 0.5, 1.0)] == [1.0, 1.0, pytest.approx(0.1)]
    assert [momentum(f, optim) for f in (0.0, 0.1, 0.2, 1.0)] == pytest.approx([0.85, 0.9, 0.95, 0.95])
    assert momentum(0.0, OptimConfig(momentum_warmup=0.0)) == 0.95
    assert lr_multiplier(1.0, OptimConfig(warmdown=0.0)) == 1.0


def test_progress_is_whichever_is_further() -> None:
    assert progress(10, 100, 30.0, 60.0) == 0.5
    assert progress(80, 100, 30.0, 60.0) == 0.8
    assert progress(10, 100, 99.0, 0.0) == 0.1
    assert progress(10, 100, 99.0, 60.0) == 1.0


def test_average_of_constant_weights_is_those_weights() -> None:
    parameter = nn.Parameter(torch.randn(4, dtype=torch.float64))
    before = parameter.detach().clone()
    average = WeightAverage([parameter], 0.1)
    for step in range(10):
        average.update((step + 1) / 10)
    average.store()
    torch.testing.assert_close(parameter.detach(), before)


@pytest.mark.parametrize("steps", [1, 7, 100])
def test_average_does_not_depend_on_the_number_of_steps(steps: int) -> None:
    """Weights that jump from 0 to 1 at the start: what is left of the 0 is exp(-1 / horizon), however the run is cut."""
    parameter = nn.Parameter(torch.zeros(1, dtype=torch.float64))
    average = WeightAverage([parameter], 0.3)
    with torch.no_grad():
        parameter.fill_(1.0)
    for step in range(steps):
        average.update((step + 1) / steps)
    average.store()
    assert parameter.item() == pytest.approx(1 - math.exp(-1 / 0.3))
