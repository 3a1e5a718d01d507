"""Muon: momentum whose matrix update is replaced by its nearest semi-orthogonal matrix (Jordan 2024).

Variants: Polar Express coefficients (Amsel et al. 2025), rows of one norm before the iteration (MuonEq-R), rows divided by the root of
their mean square over time after it (NorMuon, Li et al. 2025).

Matrices of one shape are a bank: their gradients are stacked, and one batched Newton-Schulz iteration serves all. Without banks each
matrix is a bank of its own, with the same result. With several ranks each gets the sum of its share of a bank's gradients (reduce-scatter),
keeps the momentum of that share alone, and the updates are gathered. A step has three parts, so that what travels between ranks does so
while other parameters are updated: `exchange` sends the gradients off, `begin` takes the shares and sends the updates off, `finish`
applies them.
"""

from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor, nn

from pgolf_ref.config.optim import POLAR_EXPRESS, OptimConfig
from pgolf_ref.distributed import Pending, World
from pgolf_ref.optim.decay import Decay

# Quintic a x + b x^3 + c x^5 of modded-nanogpt: pushes singular values in (0, 1] to about [0.7, 1.2] in five iterations.
QUINTIC = (3.4445, -4.7750, 2.0315)
ROW_FLOOR = 1e-7
"""What the norm of a row is taken to be at least."""


Coefficients = tuple[tuple[float, float, float], ...]


def coefficients(config: OptimConfig) -> Coefficients:
    """(a, b, c) of each iteration."""
    if config.orthogonalisation == "polar-express":
        return POLAR_EXPRESS[: config.newton_schulz_steps]
    return (QUINTIC,) * config.newton_schulz_steps


def orthogonalise(matrices: Tensor, iterations: Coefficients, eps: float = 1e-7) -> Tensor:
    """(n, rows, columns) -> the same shape, each with singular values near 1 and its own singular vectors.

    bfloat16 on a GPU, where it is faster and the iteration tolerates it; on a CPU the dtype of the input.
    """
    x = matrices.bfloat16() if matrices.is_cuda else matrices
    tall = x.size(-2) > x.size(-1)
    x = x.mT if tall else x
    x = x / (torch.linalg.matrix_norm(x, keepdim=True) + eps)
    for a, b, c in iterations:
        gram = x @ x.mT
        polynomial = torch.baddbmm(gram, gram, gram, beta=b, alpha=c)
        x = torch.baddbmm(x, polynomial, x, beta=a)
    return (x.mT if tall else x).to(matrices.dtype)


class Muon:
    """Nesterov momentum, orthogonalised. `lr`, `momentum` and the multiple of the decay are given by the schedule for each step."""

    def __init__(self, parameters: Iterable[nn.Parameter], config: OptimConfig, world: World) -> None:
        decay = Decay.of(config.matrix_decay, config.cautious_decay, config.matrix_l1)
        self._stacks = [_Stack(bank, world, decay, config.neuron_beta2) for bank in _banks(parameters, config.banked)]
        self._iterations = coefficients(config)
        self._row_normalised = config.row_normalised

    def step(self, lr: float, momentum: float, decay_multiplier: float = 1.0) -> None:
        """All three parts."""
        self.exchange()
        self.begin(momentum)
        self.finish(lr, decay_multiplier)

    @torch.no_grad()
    def exchange(self) -> None:
        """Begin to sum the gradients over the ranks; they belong to this object from then on."""
        for stack in self._stacks:
            stack.exchange()

    def gradients(self) -> list[Tensor]:
        """This rank's share (share, rows, columns) of the summed gradients of each bank, to be changed in place; padding is zero."""
        return [stack.gradient() for stack in self._stacks]

    @torch.no_grad()
    def begin(self, momentum: float) -> None:
        """Compute the updates of this rank's shares, and begin to gather those of all."""
        for stack in self._stacks:
            update = stack.nesterov(momentum)
            if self._row_normalised:
                update = update / update.norm(dim=-1, keepdim=True).clamp(min=ROW_FLOOR)
            stack.send(stack.balance(orthogonalise(update, self._iterations)))

    @torch.no_grad()
    def finish(self, lr: float, decay_multiplier: float = 1.0) -> None:
        """Apply the updates."""
        for stack in self._stacks:
            stack.apply(lr, decay_multiplier)

    def state_dict(self) -> dict[str, Tensor]:
        """The momentum, and with NorMuon the mean squares, of every stack, gathered from the ranks: all of them have to ask."""
        state = {f"momentum.{i}": stack.gathered(stack.momentum) for i, stack in enumerate(self._stacks)}
        squares = {f"square.{i}": stack.gathered(stack.square) for i, stack in enumerate(self._stacks) if stack.beta2 > 0}
        return state | squares

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Each rank takes its share."""
        for i, stack in enumerate(self._stacks):
            stack.take_share(stack.momentum, state[f"momentum.{i}"])
            if stack.beta2 > 0:
                stack.take_share(stack.square, state[f"square.{i}"])


def _banks(parameters: Iterable[nn.Parameter], banked: bool) -> list[list[nn.Parameter]]:
    """Those of one shape together, or each alone."""
    if not banked:
        return [[parameter] for parameter in parameters]
    by_shape: dict[torch.Size, list[nn.Parameter]] = {}
    for parameter in parameters:
        by_shape.setdefault(parameter.shape, []).append(parameter)
    return list(by_shape.values())


class _Stack:
    """The parameters of a bank, and the momentum (share, rows, columns) of those that this rank updates."""

    def __init__(self, parameters: Sequence[nn.Parameter], world: World, decay: Decay | None, beta2: float) -> None:
        rows, columns = parameters[0].shape
        share = -(-len(parameters) // world.size)
        self._parameters: list[Tensor] = [*parameters]
        self._world = world
        self._arriving: Pending | None = None  # the gradient of the share, then the update of all
        self.momentum = parameters[0].new_zeros(share, rows, columns)
        self.square = parameters[0].new_zeros(share, rows, 1) if beta2 > 0 else parameters[0].new_zeros(0)
        self._decay = decay
        self.beta2 = beta2
        # Tall matrices take a larger step, so that the change of an output does not depend on the shape.
        self._scale = max(1.0, rows / columns) ** 0.5

    def exchange(self) -> None:
        """Take the gradients from the parameters, and begin to sum this rank's share."""
        gradients = self.momentum.new_zeros(self._world.size * len(self.momentum), *self.momentum.shape[1:])
        torch.stack([_gradient(p) for p in self._parameters], out=gradients[: len(self._parameters)])
        for parameter in self._parameters:
            parameter.grad = None
        self._arriving = self._world.begin_scatter_sum(gradients)

    def gradient(self) -> Tensor:
        """The share of the gradient, once it has arrived."""
        assert self._arriving is not None, "the exchange comes first"
        self._arriving = Pending(self._arriving.wait())
        return self._arriving.result

    def nesterov(self, momentum: float) -> Tensor:
        """gradient + momentum * (momentum * old buffer + gradient), (share, rows, columns); padding rows stay zero."""
        gradient = self.gradient()
        self.momentum.mul_(momentum).add_(gradient)
        return gradient.add_(self.momentum, alpha=momentum)

    def send(self, update: Tensor) -> None:
        """Begin to gather the updates of all ranks."""
        self._arriving = self._world.begin_gather(update)

    def balance(self, update: Tensor) -> Tensor:
        """NorMuon: rows divided by the root of their mean square over time, the whole keeping its norm; else the update itself."""
        if self.beta2 == 0:
            return update
        self.square.lerp_(update.square().mean(-1, keepdim=True), 1 - self.beta2)
        balanced = update / (self.square.sqrt() + ROW_FLOOR)
        before, after = (torch.linalg.matrix_norm(x, keepdim=True) for x in (update, balanced))
        return balanced * (before / (after + ROW_FLOOR))

    def gathered(self, share: Tensor) -> Tensor:
        """(share, ...) of each rank -> (parameters, ...)"""
        return self._world.gather(share)[: len(self._parameters)]

    def take_share(self, share: Tensor, everyone: Tensor) -> None:
        """Write this rank's part of (parameters, ...) into (share, ...)."""
        first = self._world.rank * len(share)
        own = everyone[first : first + len(share)]
        share[: len(own)] = own

    def apply(self, lr: float, decay_multiplier: float) -> None:
        """Decay, then subtract lr * scale * update from every parameter, once the updates have arrived."""
        assert self._arriving is not None, "the update comes first"
        everyone = self._arriving.wait()[: len(self._parameters)].unbind()
        self._arriving = None
        if self._decay is not None:
            self._decay.apply(self._parameters, everyone, lr, decay_multiplier)
        torch._foreach_add_(self._parameters, everyone, alpha=-lr * self._scale)


def _gradient(parameter: Tensor) -> Tensor:
    assert parameter.grad is not None, "every matrix takes part in the loss"
    return parameter.grad
