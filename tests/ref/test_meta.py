"""Meta-gradients against finite differences and by hand, on quadratic and linear models."""

import dataclasses
from collections.abc import Sequence

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from threads import on_ranks
from torch import Tensor
from toys import CountingLoader, largest_difference, small, weights

from pgolf_ref.clock import Clock
from pgolf_ref.config.meta import MetaConfig
from pgolf_ref.distributed import World
from pgolf_ref.log import silent
from pgolf_ref.optim.meta import fomaml, reptile, split
from pgolf_ref.train import train

LINEAR = MetaConfig(every=1, inner_lr=0.02, outer_weight=0.7)


class Linear:
    """y = B A x on two parts of made-up data: a loss of two tensors that is not convex."""

    def __init__(self, seed: int = 0) -> None:
        def draw(*shape: int) -> Tensor:
            return torch.randn(*shape, generator=generator, dtype=torch.float64) * 0.5

        generator = torch.Generator().manual_seed(seed)
        self.parameters = [draw(3, 4).requires_grad_(), draw(2, 3).requires_grad_()]
        self.parts = [(draw(5, 4), draw(5, 2)) for _ in range(2)]

    def loss(self, part: int, values: Sequence[Tensor] | None = None) -> Tensor:
        first, second = values or self.parameters
        x, y = self.parts[part]
        return ((x @ first.T @ second.T - y) ** 2).mean()

    def gradients(self, part: int, values: Sequence[Tensor]) -> list[Tensor]:
        given = [value.detach().clone().requires_grad_() for value in values]
        return list(torch.autograd.grad(self.loss(part, given), given))

    def inner(self) -> Tensor:
        return self.loss(0)

    def outer(self) -> Tensor:
        return self.loss(1)


def ones(model: Linear) -> list[Tensor]:
    return [torch.ones((), dtype=torch.float64) for _ in model.parameters]


def by_hand(model: Linear, config: MetaConfig, scales: Sequence[float]) -> list[Tensor]:
    """The adapted weights, step by step."""
    values = [parameter.detach().clone() for parameter in model.parameters]
    for _ in range(config.inner_steps):
        gradients = model.gradients(0, values)
        if config.sam_rho:
            norm = torch.cat([gradient.flatten() for gradient in gradients]).norm()
            higher = [value + config.sam_rho * gradient / norm for value, gradient in zip(values, gradients, strict=True)]
            gradients = model.gradients(0, higher)
        values = [v - config.inner_lr * s * g for v, s, g in zip(values, scales, gradients, strict=True)]
    return values


@given(st.integers(0, 50), st.integers(1, 4), st.sampled_from([0.0, 0.3]), st.sampled_from([0.0, 0.4]))
def test_the_gradient_is_that_of_the_outer_loss_at_the_adapted_weights(seed: int, steps: int, rho: float, gain: float) -> None:
    model, config = Linear(seed), dataclasses.replace(LINEAR, inner_steps=steps, sam_rho=rho, gain_weight=gain)
    before = weights_of(model)
    found = fomaml(model.parameters, model.inner, model.outer, config, ones(model))
    at = by_hand(model, config, [1.0, 1.0])
    expected = [
        (0.7 + gain) * after - gain * now for after, now in zip(model.gradients(1, at), model.gradients(1, before), strict=True)
    ]
    assert largest_difference(found.weights, expected) < 1e-12
    assert all(torch.equal(a, b) for a, b in zip(before, weights_of(model), strict=True))
    told = 0.7 * model.loss(1, at) + gain * (model.loss(1, at) - model.loss(1, before))
    assert float(found.objective) == pytest.approx(float(told), rel=1e-12)


def weights_of(model: Linear) -> list[Tensor]:
    return [parameter.detach().clone() for parameter in model.parameters]


def test_the_gradient_of_a_rate_is_that_of_finite_differences() -> None:
    """With one inner step nothing is left out."""
    model = Linear(3)
    found = fomaml(model.parameters, model.inner, model.outer, LINEAR, [torch.tensor(1.3), torch.tensor(0.4)])

    def objective(scales: Sequence[float]) -> float:
        return 0.7 * float(model.loss(1, by_hand(model, LINEAR, scales)))

    for tensor in range(2):
        up, down = [1.3, 0.4], [1.3, 0.4]
        up[tensor] += 1e-6
        down[tensor] -= 1e-6
        assert float(found.scales[tensor]) == pytest.approx((objective(up) - objective(down)) / 2e-6, rel=1e-4)


@given(st.integers(0, 50), st.integers(1, 4))
def test_the_way_of_reptile_is_that_of_the_inner_steps(seed: int, steps: int) -> None:
    model, config = Linear(seed), dataclasses.replace(LINEAR, inner_steps=steps)
    before = weights_of(model)
    way = reptile(model.parameters, model.inner, config, ones(model))
    expected = [after - now for after, now in zip(by_hand(model, config, [1.0, 1.0]), before, strict=True)]
    assert largest_difference(way, expected) < 1e-13
    assert all(torch.equal(a, b) for a, b in zip(before, weights_of(model), strict=True))


def test_without_an_inner_rate_it_is_the_plain_gradient() -> None:
    model = Linear()
    found = fomaml(model.parameters, model.inner, model.outer, dataclasses.replace(LINEAR, inner_lr=0.0), ones(model))
    plain = model.gradients(1, weights_of(model))
    assert largest_difference(found.weights, [0.7 * gradient for gradient in plain]) < 1e-15
    assert all(float(scale) == 0.0 for scale in found.scales)


@pytest.mark.parametrize("how", ["halves", "random"])
@given(rows=st.integers(2, 6), length=st.integers(2, 9), seed=st.integers(0, 9))
def test_the_parts_of_a_split_are_the_whole(how: str, rows: int, length: int, seed: int) -> None:
    tokens = torch.arange(rows * length).view(rows, length)
    (first, first_targets), (second, second_targets) = split(tokens, tokens + 1, how, seed)
    assert torch.equal(torch.cat((first.flatten(), second.flatten())).sort().values, tokens.flatten())
    assert torch.equal(first_targets, first + 1) and torch.equal(second_targets, second + 1)
    assert first.numel() and second.numel()


# In the training loop


def trained(*overrides: str, world: World | None = None) -> list[Tensor]:
    config = small("run.steps=5", "data.batch_tokens=192", *overrides)
    return weights(train(config, CountingLoader(config), Clock(), silent(), world=world).model)


@pytest.mark.parametrize("how", ["halves", "random", "cross"])
@pytest.mark.parametrize("more", [[], ["meta.sam_rho=0.1", "meta.gain_weight=0.3", "meta.scales_lr=0.5"], ["meta.method=reptile"]])
def test_training_takes_part_in_it_on_any_number_of_ranks(how: str, more: list[str]) -> None:
    recipe = ["meta.every=2", f"meta.split={how}", "meta.inner_lr=0.1", *more]
    alone = trained(*recipe)
    assert largest_difference(alone, trained()) > 1e-9
    for other in on_ranks(2, lambda world: trained(*recipe, world=world)):
        assert largest_difference(alone, other) < 1e-9


@pytest.mark.parametrize("recipe", [["meta.every=0"], ["meta.every=1", "meta.outer_weight=0"], ["meta.every=1", "meta.start=1"]])
def test_what_weighs_nothing_changes_nothing(recipe: list[str]) -> None:
    assert all(torch.equal(a, b) for a, b in zip(trained(*recipe), trained(), strict=True))
