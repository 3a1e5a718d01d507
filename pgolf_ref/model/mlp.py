"""The feed-forward half of a block: down(activation(up(x))), by default with relu(x)^2 (So et al. 2021)."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from pgolf_ref.config import ModelConfig
from pgolf_ref.model.flow import Flow
from pgolf_ref.model.matrices import matrix
from pgolf_ref.model.product import Multiplies
from pgolf_ref.registry import Group

LEAK = 0.5


class MLP(Multiplies):
    """Two matrices, (hidden, d) and (d, hidden); the second starts at zero. With a sigmoid gate the first is twice as tall."""

    GROUPS = {"up": Group.MATRIX, "down": Group.MATRIX}

    def __init__(self, config: ModelConfig, hidden: int) -> None:
        super().__init__()
        self.cap = config.block.activation_cap
        self.activation = ACTIVATIONS[config.block.activation]
        tall = 2 * hidden if config.block.activation == "sigmoid_gate" else hidden
        self.up = matrix(config, tall, config.dim)
        self.down = nn.Parameter(torch.zeros(config.dim, hidden))

    def forward(self, x: Tensor, flow: Flow | None = None) -> Tensor:
        """(B, T, d) -> (B, T, d)"""
        raw = self.product(x, self.up)
        if self.cap:
            raw = raw.clamp(max=self.cap)
        y = self.product(self.activation(raw), self.down)
        return y if flow is None else flow.adapt("mlp", x, y)


class _SquaredReLU(torch.autograd.Function):
    """relu(x)^2, whose gradient 2 relu(x) needs nothing but relu(x)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        rectified = x.relu()
        ctx.save_for_backward(rectified)
        return rectified * rectified

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g: Tensor) -> Tensor:
        (rectified,) = ctx.saved_tensors
        return (g * rectified).mul_(2)


class _SquaredLeakyReLU(torch.autograd.Function):
    """leaky(x)^2, whose gradient is 2 leaky(x) for x > 0 and 2 LEAK leaky(x) elsewhere."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        leaky = F.leaky_relu(x, LEAK)
        ctx.save_for_backward(leaky)
        return leaky * leaky

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g: Tensor) -> Tensor:
        (leaky,) = ctx.saved_tensors
        return F.leaky_relu(leaky, LEAK).mul_(2).mul_(g)


def _squared_relu(x: Tensor) -> Tensor:
    y: Tensor = _SquaredReLU.apply(x)
    return y


def _squared_leaky_relu(x: Tensor) -> Tensor:
    y: Tensor = _SquaredLeakyReLU.apply(x)
    return y


def _sigmoid_gate(x: Tensor) -> Tensor:
    gate, value = x.chunk(2, dim=-1)
    return gate.sigmoid() * value


ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu2": _squared_relu,
    "leaky_relu2": _squared_leaky_relu,
    "relu": F.relu,
    "gelu": F.gelu,
    "silu": F.silu,
    "sigmoid_gate": _sigmoid_gate,
}
