"""Optimizers against plain float64 computations; the weight average by its properties."""

import dataclasses
import math

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from torch import nn
from toys import random_model, small

from pgolf_ref.config import OptimConfig
from pgolf_ref.config.optim import POLAR_EXPRESS
from pgolf_ref.distributed import World
from pgolf_ref.forecast import forecast
from pgolf_ref.optim.adam import Adam
from pgolf_ref.optim.decay import Decay
from pgolf_ref.optim.ema import WeightAverage
from pgolf_ref.optim.groups import Optimizers, trained_by_adam
from pgolf_ref.optim.muon import Muon, orthogonalise
from pgolf_ref.registry import Group, registry

SHAPES = [(6, 6), (4, 10), (10, 4), (6, 6), (1, 5)]


QUINTIC = ((3.4445, -4.7750, 2.0315),) * 5
VARIANTS = {
    "plain": OptimConfig(),
    "polar-express": OptimConfig(orthogonalisation="polar-express"),
    "row-normalised": OptimConfig(row_normalised=True),
    "per-neuron": OptimConfig(neuron_beta2=0.9),
    "decayed": OptimConfig(matrix_decay=0.3),
    "cautious": OptimConfig(matrix_decay=0.3, cautious_decay=True),
    "L1": OptimConfig(matrix_l1=0.2),
    "one by one": OptimConfig(banked=False),
    "everything": OptimConfig(
        orthogonalisation="polar-express",
        row_normalised=True,
        neuron_beta2=0.9,
        matrix_decay=0.3,
        cautious_decay=True,
        matrix_l1=0.2,
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
            expected[i] = np.sign(expected[i]) * np.maximum(abs(expected[i]) - lr * config.matrix_l1, 0)
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


@settings(deadline=None)
@given(rows=st.integers(1, 12), columns=st.integers(1, 12), count=st.integers(2, 4), seed=st.integers(0, 999))
def test_a_batch_is_its_matrices_and_a_transposed_matrix_gives_the_transpose(
    rows: int, columns: int, count: int, seed: int
) -> None:
    """And the sign of a matrix is that of its result."""
    matrices = torch.randn(count, rows, columns, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    for iterations in (QUINTIC, POLAR_EXPRESS):
        together = orthogonalise(matrices, iterations)
        alone = torch.cat([orthogonalise(matrix[None], iterations) for matrix in matrices])
        torch.testing.assert_close(together, alone, rtol=0, atol=1e-9)
        torch.testing.assert_close(orthogonalise(matrices.mT, iterations), together.mT, rtol=0, atol=1e-9)
        torch.testing.assert_close(orthogonalise(-matrices, iterations), -together, rtol=0, atol=0)


def test_banks_and_single_matrices_take_the_same_steps() -> None:
    """Twelve matrices of three shapes in float32, with everything switched on."""
    results = []
    for banked in (True, False):
        torch.manual_seed(0)
        parameters = [nn.Parameter(torch.randn(shape)) for shape in [(8, 8), (8, 16), (16, 8)] * 4]
        muon = Muon(parameters, dataclasses.replace(VARIANTS["everything"], banked=banked), World.single())
        for _ in range(3):
            for parameter in parameters:
                parameter.grad = torch.randn_like(parameter)
            muon.step(0.02, 0.9)
        results.append(parameters)
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-5)


@settings(deadline=None)
@given(lr=st.floats(0, 1), l1=st.floats(0, 2), seed=st.integers(0, 99))
def test_the_l1_decay_goes_to_zero_and_not_beyond(lr: float, l1: float, seed: int) -> None:
    """Every weight by the same amount, as many as have that much left."""
    before = torch.randn(5, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    after = before.clone()
    Decay(0.0, l1=l1).apply([after], [], lr)
    assert bool((after * before >= 0).all())
    torch.testing.assert_close(before.abs() - after.abs(), before.abs().clamp(max=lr * l1), rtol=0, atol=1e-12)


def test_without_rates_there_is_no_decay() -> None:
    assert Decay.of(0.0, True, 0.0) is None


@pytest.mark.parametrize(
    ("overrides", "chosen"),
    [
        ((), set()),
        (
            ("optim.adam_blocks=[1]",),
            {f"blocks.1.{name}" for name in ("attention.query", "attention.key", "attention.value")}
            | {"blocks.1.attention.out", "blocks.1.mlp.up", "blocks.1.mlp.down"},
        ),
        (
            ("optim.adam_blocks=[0, 2]", "optim.adam_roles=['query', 'up']"),
            {f"blocks.{i}.{name}" for i in (0, 2) for name in ("attention.query", "mlp.up")},
        ),
    ],
)
def test_matrices_of_chosen_blocks_are_adams(overrides: tuple[str, ...], chosen: set[str]) -> None:
    """Those take the step of AdamW, all others the same step as without the choice."""
    plain, choosing = small("optim.matrix_decay=0.1"), small("optim.matrix_decay=0.1", *overrides)
    models = [random_model(config) for config in (plain, choosing)]
    before = {name: p.detach().clone() for name, p in models[0].named_parameters()}
    entries = registry(models[0])
    assert {name for name, entry in entries.items() if trained_by_adam(entry, choosing.optim)} == chosen
    for config, model in zip((plain, choosing), models, strict=True):
        for parameter in model.parameters():
            parameter.grad = torch.sin(parameter.detach() * 7)
        Optimizers(model, config.optim, World.single()).step(0.5, 0.9)
    for (name, one), other in zip(models[0].named_parameters(), models[1].parameters(), strict=True):
        if name not in chosen:
            assert torch.equal(one, other), name
            continue
        reference = nn.Parameter(before[name])
        reference.grad = torch.sin(before[name] * 7)
        lr, betas = 0.5 * choosing.optim.adam_matrix_lr, (choosing.optim.beta1, choosing.optim.beta2)
        torch.optim.AdamW([reference], lr=lr, betas=betas, eps=choosing.optim.eps, weight_decay=0.1).step()
        torch.testing.assert_close(other, reference, rtol=0, atol=1e-12)


def test_optimizers_go_on_from_their_state() -> None:
    config = small("optim.adam_blocks=[1]", "optim.neuron_beta2=0.9")
    one, two = random_model(config), random_model(config)
    first, second = (Optimizers(model, config.optim, World.single()) for model in (one, two))
    for step in range(4):
        if step == 2:
            second.load_state_dict(first.state_dict())
            two.load_state_dict(one.state_dict())
        for model, optimizers in ((one, first), (two, second)):
            for parameter in model.parameters():
                parameter.grad = torch.cos(parameter.detach() * (step + 1))
            optimizers.step(1.0, 0.9)
    assert all(torch.equal(p, q) for p, q in zip(one.parameters(), two.parameters(), strict=True))


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


def test_matrices_of_adam_have_one_more_mean_in_memory() -> None:
    """Of four bytes per weight of the three blocks."""
    plain, choosing = (forecast(small(f"optim.adam_blocks={blocks}")) for blocks in ([], [0, 1, 2]))
    entries = registry(random_model(small())).values()
    assert choosing.training_bytes - plain.training_bytes == 4 * sum(e.count for e in entries if e.group is Group.MATRIX)
