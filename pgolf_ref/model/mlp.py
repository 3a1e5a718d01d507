"""The feed-forward half of a block: down(relu(up(x))^2) (So et al. 2021)."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from pgolf_ref.config import ModelConfig
from pgolf_ref.model.attention import uniform_matrix
from pgolf_ref.registry import Group


class MLP(nn.Module):
    """Two matrices, (hidden, d) and (d, hidden); the second starts at zero."""

    GROUPS = {"up": Group.MATRIX, "down": Group.MATRIX}

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        hidden = config.mlp_mult * config.dim
        self.up = uniform_matrix(hidden, config.dim)
        self.down = nn.Parameter(torch.zeros(config.dim, hidden))

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, d) -> (B, T, d)"""
        return F.linear(_SquaredReLU.apply(F.linear(x, self.up.to(x.dtype))), self.down.to(x.dtype))


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
