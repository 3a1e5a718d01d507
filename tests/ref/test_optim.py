"""Optimizers against plain float64 computations; schedules and the weight average by their properties."""

import math

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from torch import nn

from pgolf_ref.config import OptimConfig
from pgolf_ref.config.optim import POLAR_EXPRESS
from pgolf_ref.distributed import World
from pgolf_ref.optim.adam import Adam
from pgolf_ref.optim.decay import Decay
from pgolf_ref.optim.ema import WeightAverage
from pgolf_ref.optim.muon import Muon, orthogonalise
from pgolf_ref.optim.schedule import decay_multiplier, lr_multiplier, momentum, progress

SHAPES = [(6, 6), (4, 10), (10, 4), (6, 6), (1, 5)]


QUINTIC = ((3.4445, -4.7750, 2.0315),) * 5
VARIANTS = {
    "plain": OptimConfig(),
    "polar-express": OptimConfig(orthogonalisation="polar-express"),
    "row-normalised": OptimConfig(row_normalised=True),
    "per-neuron": OptimConfig(neuron_beta2=0.9),
    "decayed": OptimConfig(matrix_decay=0.3),
    "cautious": OptimConfig(matrix_decay=0.3, cautious_decay=True),
    "everything": OptimConfig(
        orthogonalisation="polar-express", row_normalised=True, neuron_beta2=0.9, matrix_decay=0.3, cautious_decay=True
    ),
}


def _orthogonal(gradient: np.ndarray, config: OptimConfig) -> np.ndarray:
    """Newton-Schulz acts on singular values alone: x -> a x + b x^3 + c x^5, here through the SVD."""
    if config.row_normalised:
        gradient = gradient / np.maximum(np.linalg.norm(gradient, axis=1, keepdims=True), 1e-7)
    u, s, v = np.linalg.svd(gradient, full_matrices=False)
    s = s / (np.linalg.norm(gradient) + 1e-7)
    for a, b, c in POLAR_EXPRESS if config.orthogonalisation == "polar-express" else QUINTIC:
        s = a * s + b * s**3 + c * s**5
    return (u * s) @ v


def _balanced(update: np.ndarray, square: np.ndarray, beta2: float) -> np.ndarray:
    """Rows divided by the root of their mean square over time, at the norm that the update had."""
    square[:] = beta2 * square + (1 - beta2) * (update**2).mean(1, keepdims=True)
    rows = update / (np.sqrt(square) + 1e-7)
    return rows * (np.linalg.norm(update) / (np.linalg.norm(rows) + 1e-7))


@pytest.mark.parametrize("variant", VARIANTS)
def test_muon_against_a_float64_reference(variant: str) -> None:
    """Five steps with a changing rate and momentum, matrices of several shapes."""
    config = VARIANTS[variant]
    random = np.random.default_rng(0)
    parameters = [nn.Parameter(torch.from_numpy(random.standard_normal(shape))) for shape in SHAPES]
    expected = [p.detach().numpy().copy() for p in parameters]
    buffers = [np.zeros(shape) for shape in SHAPES]
    squares = [np.zeros((shape[0], 1)) for shape in SHAPES]
    muon = Muon(parameters, config, World.single())
    for step in range(5):
        lr, mu = 0.1 / (step + 1), 0.8 + 0.03 * step
        gradients = [random.standard_normal(shape) for shape in SHAPES]
        for i, gradient in enumerate(gradients):
            buffers[i] = mu * buffers[i] + gradient
            update = _orthogonal(gradient + mu * buffers[i], config)
            if config.neuron_beta2:
                update = _balanced(update, squares[i], config.neuron_beta2)
            kept = (update * expected[i] > 0) if config.cautious_decay else 1.0
            expected[i] -= lr * config.matrix_decay * 0.5 * kept * expected[i]
            expected[i] -= lr * update * max(1.0, gradient.shape[0] / gradient.shape[1]) ** 0.5
            parameters[i].grad = torch.from_numpy(gradient.copy())
        muon.step(lr, mu, 0.5)
    for parameter, value in zip(parameters, expected, strict=True):
        np.testing.assert_allclose(parameter.detach().numpy(), value, atol=1e-9)


@settings(deadline=None)
@given(rows=st.integers(2, 24), columns=st.integers(2, 24), scale=st.floats(1e-3, 1e3), seed=st.integers(0, 999))
def test_orthogonalised_singular_values_are_near_one(rows: int, columns: int, scale: float, seed: int) -> None:
    """And do not depend on the size of the gradient."""
    base = torch.randn(1, rows, columns, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    u, s, v = torch.linalg.svd(base, full_matrices=False)
    well_conditioned = u @ torch.diag_embed(s.clamp(min=0.1 * float(s.max()))) @ v
    result = orthogonalise(well_conditioned, QUINTIC)
    values = torch.linalg.svdvals(result)
    assert float(values.min()) > 0.5
    assert float(values.max()) < 1.3
    torch.testing.assert_close(orthogonalise(scale * well_conditioned, QUINTIC), result, rtol=0, atol=1e-3)


@settings(deadline=None)
@given(seed=st.integers(0, 999))
def test_polar_express_comes_nearer_to_one_than_the_quintic(seed: int) -> None:
    matrix = torch.randn(1, 16, 24, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    worst = [float((torch.linalg.svdvals(orthogonalise(matrix, c)) - 1).abs().max()) for c in (QUINTIC, POLAR_EXPRESS)]
    assert worst[1] < worst[0]


def test_rows_of_one_norm_are_those_of_rms_normalisation() -> None:
    """NeoMuon divides by the root of the mean square: the scalar between the two is removed by the iteration."""
    matrix = torch.randn(3, 8, 12, dtype=torch.float64)
    rows = matrix / matrix.norm(dim=-1, keepdim=True)
    means = matrix / matrix.square().mean(-1, keepdim=True).sqrt()
    torch.testing.assert_close(orthogonalise(rows, QUINTIC), orthogonalise(means, QUINTIC), rtol=0, atol=1e-3)


@pytest.mark.parametrize("cautious", [False, True])
def test_adam_with_decay_is_that_of_torch(cautious: bool) -> None:
    """The cautious form on weights that all shrink with their gradients is the usual one, and on others none."""
    ours, theirs = nn.Parameter(torch.rand(6, dtype=torch.float64) + 1), nn.Parameter(torch.zeros(6, dtype=torch.float64))
    theirs.data.copy_(ours.data)
    adam = Adam([ours], (0.9, 0.95), 1e-8, Decay(0.2, cautious))
    reference = torch.optim.AdamW([theirs], lr=0.01, betas=(0.9, 0.95), eps=1e-8, weight_decay=0.2)
    for _ in range(4):
        ours.grad, theirs.grad = torch.ones(6, dtype=torch.float64), torch.ones(6, dtype=torch.float64)
        adam.step(0.01)
        reference.step()
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-12)
    growing = nn.Parameter(torch.ones(3, dtype=torch.float64))
    plain = nn.Parameter(torch.ones(3, dtype=torch.float64))
    for parameter, decay in ((growing, Decay(0.2, cautious=True)), (plain, None)):
        parameter.grad = -torch.ones(3, dtype=torch.float64)
        Adam([parameter], (0.9, 0.95), 1e-8, decay).step(0.01)
    assert torch.equal(growing, plain)


def test_muon_goes_on_from_its_state() -> None:
    """A second optimizer that takes the first one's state makes the same steps."""
    config = VARIANTS["everything"]
    one = [nn.Parameter(torch.randn(6, 4, dtype=torch.float64)) for _ in range(3)]
    two = [nn.Parameter(p.detach().clone()) for p in one]
    first, second = Muon(one, config, World.single()), Muon(two, config, World.single())
    for step in range(4):
        gradients = [torch.randn(6, 4, dtype=torch.float64) for _ in one]
        if step == 2:
            second.load_state_dict(first.state_dict())
            for p, q in zip(one, two, strict=True):
                q.data.copy_(p.data)
        for muon, parameters in ((first, one), (second, two)):
            if muon is second and step < 2:
                continue
            for parameter, gradient in zip(parameters, gradients, strict=True):
                parameter.grad = gradient.clone()
            muon.step(0.1, 0.9)
    for p, q in zip(one, two, strict=True):
        assert torch.equal(p, q)


def test_a_zero_gradient_moves_nothing() -> None:
    """The first step of a fresh model gives some matrices no gradient."""
    assert torch.equal(orthogonalise(torch.zeros(2, 3, 4), QUINTIC), torch.zeros(2, 3, 4))


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


@given(fraction=FRACTIONS, warmdown=st.floats(0.01, 1))
def test_the_cosine_has_the_ends_and_the_middle_of_the_line(fraction: float, warmdown: float) -> None:
    line, cosine = (OptimConfig(warmdown=warmdown, min_lr=0.1, warmdown_shape=shape) for shape in ("linear", "cosine"))
    for f in (0.0, 1 - warmdown, 1 - warmdown / 2, 1.0):
        assert lr_multiplier(f, cosine) == pytest.approx(lr_multiplier(f, line))
    assert 0.1 - 1e-12 <= lr_multiplier(fraction, cosine) <= 1.0


def test_momentum_swings_after_its_warm_up() -> None:
    optim = OptimConfig(momentum=0.95, momentum_start=0.85, momentum_low=0.85, momentum_warmup=0.2, momentum_cycle=0.1)
    assert [momentum(f, optim) for f in (0.0, 0.2, 0.25, 0.3, 0.4)] == pytest.approx([0.85, 0.95, 0.9, 0.85, 0.95])


def test_the_taper_of_the_decay_ends_at_its_multiple() -> None:
    optim = OptimConfig(decay_taper=0.3, decay_end=0.5)
    assert [decay_multiplier(f, optim) for f in (0.0, 0.7, 0.85, 1.0)] == pytest.approx([1.0, 1.0, 0.75, 0.5])
    assert decay_multiplier(1.0, OptimConfig()) == 1.0


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
