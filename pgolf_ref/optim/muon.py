"""Muon: momentum whose matrix update is replaced by its nearest semi-orthogonal matrix (Jordan 2024).

Matrices of one shape are updated together: their gradients are stacked, and one batched Newton-Schulz iteration serves all.
With several ranks each computes its share of a stack, and the updates are gathered.
"""

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn

from pgolf_ref.distributed import World

# Quintic a x + b x^3 + c x^5 of modded-nanogpt: pushes singular values in (0, 1] to about [0.7, 1.2] in five iterations.
QUINTIC = (3.4445, -4.7750, 2.0315)


def orthogonalise(matrices: Tensor, steps: int, eps: float = 1e-7) -> Tensor:
    """(n, rows, columns) -> the same shape, each with singular values near 1 and its own singular vectors.

    bfloat16 on a GPU, where it is faster and the iteration tolerates it; on a CPU the dtype of the input.
    """
    a, b, c = QUINTIC
    x = matrices.bfloat16() if matrices.is_cuda else matrices
    tall = x.size(-2) > x.size(-1)
    x = x.mT if tall else x
    x = x / (torch.linalg.matrix_norm(x, keepdim=True) + eps)
    for _ in range(steps):
        gram = x @ x.mT
        polynomial = torch.baddbmm(gram, gram, gram, beta=b, alpha=c)
        x = torch.baddbmm(x, polynomial, x, beta=a)
    return (x.mT if tall else x).to(matrices.dtype)


class Muon:
    """Nesterov momentum, orthogonalised. `lr` and `momentum` are given by the schedule for each step."""

    def __init__(self, parameters: Iterable[nn.Parameter], newton_schulz_steps: int, world: World) -> None:
        by_shape: dict[torch.Size, list[nn.Parameter]] = {}
        for parameter in parameters:
            by_shape.setdefault(parameter.shape, []).append(parameter)
        self._stacks = [_Stack(members, world) for members in by_shape.values()]
        self._newton_schulz_steps = newton_schulz_steps

    @torch.no_grad()
    def step(self, lr: float, momentum: float) -> None:
        for stack in self._stacks:
            update = orthogonalise(stack.nesterov(momentum), self._newton_schulz_steps)
            stack.apply(update, -lr)

    def state_dict(self) -> dict[str, Tensor]:
        """The momentum of every stack, gathered from the ranks: all of them have to ask."""
        return {f"momentum.{i}": stack.momentum() for i, stack in enumerate(self._stacks)}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Each rank takes its share."""
        for i, stack in enumerate(self._stacks):
            stack.set_momentum(state[f"momentum.{i}"])


class _Stack:
    """The parameters of one shape, and the momentum (share, rows, columns) of those that this rank updates."""

    def __init__(self, parameters: list[nn.Parameter], world: World) -> None:
        rows, columns = parameters[0].shape
        share = -(-len(parameters) // world.size)
        self._parameters: list[Tensor] = [*parameters]
        self._own = parameters[world.rank * share : (world.rank + 1) * share]
        self._world = world
        self._momentum = parameters[0].new_zeros(share, rows, columns)
        # Tall matrices take a larger step, so that the change of an output does not depend on the shape.
        self._scale = max(1.0, rows / columns) ** 0.5

    def nesterov(self, momentum: float) -> Tensor:
        """gradient + momentum * (momentum * old buffer + gradient), (share, rows, columns); padding rows stay zero."""
        gradient = torch.zeros_like(self._momentum)
        if self._own:
            torch.stack([_gradient(p) for p in self._own], out=gradient[: len(self._own)])
        self._momentum.mul_(momentum).add_(gradient)
        return gradient.add_(self._momentum, alpha=momentum)

    def momentum(self) -> Tensor:
        """(parameters, rows, columns)"""
        return self._world.gather(self._momentum)[: len(self._parameters)]

    def set_momentum(self, momentum: Tensor) -> None:
        first = self._world.rank * len(self._momentum)
        own = momentum[first : first + len(self._momentum)]
        self._momentum[: len(own)] = own

    def apply(self, update: Tensor, factor: float) -> None:
        """Add factor * scale * update to every parameter, taking the other ranks' shares from them."""
        everyone = self._world.gather(update).unbind()[: len(self._parameters)]
        torch._foreach_add_(self._parameters, everyone, alpha=factor * self._scale)


def _gradient(parameter: nn.Parameter) -> Tensor:
    assert parameter.grad is not None, "every matrix takes part in the loss"
    return parameter.grad
