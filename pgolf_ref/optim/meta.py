"""Gradients for weights that adapt well: what is learnt on one part of a batch should help on another.

* FOMAML (Finn et al. 2017, first order): the gradient of the outer loss at the adapted weights
* Reptile (Nichol et al. 2018): the way that the adaptation went
* MetaSGD (Li et al. 2017): a learned multiple of the inner rate for each tensor
* SAM (Foret et al. 2021) within: the inner gradient is taken rho further up, all tensors together

Invariant: `fomaml` and `reptile` leave the weights, bit by bit, as they were.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from pgolf_ref.config.meta import MetaConfig

Loss = Callable[[], Tensor]
"""The loss of the weights as they are now."""


@dataclass(frozen=True, slots=True)
class MetaGradients:
    """Of the outer objective: by the weights, and by the multiples of the inner rate; the objective itself."""

    weights: list[Tensor]
    scales: list[Tensor]
    objective: Tensor


def adapted(parameters: Sequence[Tensor], inner: Loss, config: MetaConfig, scales: Sequence[Tensor]) -> list[Tensor]:
    """Take the inner steps, and leave the parameters there; returns the sum of the inner gradients of each."""
    total = [torch.zeros_like(parameter) for parameter in parameters]
    for _ in range(config.inner_steps):
        gradients = _inner_gradients(parameters, inner, config.sam_rho)
        with torch.no_grad():
            for parameter, gradient, scale, so_far in zip(parameters, gradients, scales, total, strict=True):
                parameter -= config.inner_lr * scale * gradient
                so_far += gradient
    return total


def fomaml(parameters: Sequence[Tensor], inner: Loss, outer: Loss, config: MetaConfig, scales: Sequence[Tensor]) -> MetaGradients:
    """Gradients of w L(adapted) + g (L(adapted) - L(now)), the adaptation's own derivative left out.

    The multiple s of a tensor's rate has the gradient -lr <sum of its inner gradients, gradient at the adapted weights>.
    """
    before = [parameter.detach().clone() for parameter in parameters]
    objective = torch.zeros(())
    gradients = [torch.zeros_like(parameter) for parameter in parameters]
    if config.gain_weight:
        now = outer()
        objective = -config.gain_weight * now.detach()
        gradients = [-config.gain_weight * gradient for gradient in _gradients(now, parameters)]
    steps = adapted(parameters, inner, config, scales)
    after = outer()
    weight = config.outer_weight + config.gain_weight
    there = [weight * gradient for gradient in _gradients(after, parameters)]
    restore(parameters, before)
    by_scale = [-config.inner_lr * (step * gradient).sum() for step, gradient in zip(steps, there, strict=True)]
    summed = [first + second for first, second in zip(gradients, there, strict=True)]
    return MetaGradients(summed, by_scale, objective.to(after.device) + weight * after.detach())


def reptile(parameters: Sequence[Tensor], inner: Loss, config: MetaConfig, scales: Sequence[Tensor]) -> list[Tensor]:
    """Adapted weights less those of now."""
    before = [parameter.detach().clone() for parameter in parameters]
    adapted(parameters, inner, config, scales)
    way = [parameter.detach() - value for parameter, value in zip(parameters, before, strict=True)]
    restore(parameters, before)
    return way


@torch.no_grad()
def restore(parameters: Sequence[Tensor], values: Sequence[Tensor]) -> None:
    for parameter, value in zip(parameters, values, strict=True):
        parameter.copy_(value)


def split(tokens: Tensor, targets: Tensor, how: str, seed: int) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """Rows (B, T) of tokens and targets in two parts: the halves of each row, or two halves of the rows at random."""
    if how == "halves":
        middle = tokens.size(1) // 2
        return (tokens[:, :middle], targets[:, :middle]), (tokens[:, middle:], targets[:, middle:])
    order = torch.randperm(len(tokens), generator=torch.Generator().manual_seed(seed)).to(tokens.device)
    first, second = order.tensor_split(2)
    return (tokens[first], targets[first]), (tokens[second], targets[second])


def _inner_gradients(parameters: Sequence[Tensor], inner: Loss, rho: float) -> list[Tensor]:
    gradients = _gradients(inner(), parameters)
    if not rho:
        return gradients
    before = [parameter.detach().clone() for parameter in parameters]
    norm = torch.sqrt(sum((gradient.square().sum() for gradient in gradients), torch.zeros_like(gradients[0].sum())))
    with torch.no_grad():
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter += rho * gradient / norm.clamp(min=torch.finfo(norm.dtype).tiny)
    higher = _gradients(inner(), parameters)
    restore(parameters, before)
    return higher


def _gradients(loss: Tensor, parameters: Sequence[Tensor]) -> list[Tensor]:
    found = torch.autograd.grad(loss, list(parameters), allow_unused=True)
    return [torch.zeros_like(p) if gradient is None else gradient for p, gradient in zip(parameters, found, strict=True)]
