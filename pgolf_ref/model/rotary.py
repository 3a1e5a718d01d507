"""Rotary position embedding, half-split form (Su et al. 2021): the pair (i, i + D/2) turns by position * base^(-2i/D).

Invariants: the tables depend on length, dimension and base alone, never on the order of calls; lengths are preserved.
"""

from functools import lru_cache
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


@lru_cache(maxsize=64)
def rotary_tables(
    length: int, dim: int, base: float, device: torch.device, dtype: torch.dtype, yarn_scale: float = 1.0
) -> tuple[Tensor, Tensor]:
    """cos and sin, each (length, 1, dim / 2), computed in float32 or better and rounded to `dtype`."""
    with torch.inference_mode(False):  # a cached inference tensor would break a later backward pass
        wide = torch.promote_types(dtype, torch.float32)
        share = torch.arange(0, dim, 2, device=device, dtype=wide) / dim
        frequency = base**-share / yarn_divisor(share, yarn_scale)
        angle = torch.outer(torch.arange(length, device=device, dtype=wide), frequency)
        return angle.cos().to(dtype).unsqueeze(1), angle.sin().to(dtype).unsqueeze(1)


def yarn_divisor(share: Tensor, scale: float) -> Tensor:
    """1 for the fastest quarter of the rotations, then a straight line to `scale` for the slowest (after Peng et al. 2023)."""
    return ((share - 0.25) / 0.75).clamp(0, 1) * (scale - 1) + 1


def raised_base(base: float, dim: int, length: int, made_for: int) -> float:
    """The base for rows longer than it is made for ("NTK-aware"); itself for others, and where `made_for` is 0."""
    if not made_for or length <= made_for:
        return base
    return base * (length / made_for) ** (dim / (dim - 2))


def rotate_first(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """As `rotate`, of the first channels only where the tables are for fewer than all."""
    dims = 2 * cos.size(-1)
    if dims == x.size(-1):
        return rotate(x, cos, sin)
    return torch.cat((rotate(x[..., :dims], cos, sin), x[..., dims:]), dim=-1)


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """(B, T, heads, D) -> the same, each position turned by its angle."""
    y: Tensor = _Rotation.apply(x, cos, sin)
    return y


class _Rotation(torch.autograd.Function):
    """The gradient of a rotation is the rotation back."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        ctx.save_for_backward(cos, sin)
        return _turn(x, cos, sin, 1.0)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, None, None]:
        cos, sin = ctx.saved_tensors
        return _turn(g, cos, sin, -1.0), None, None


def _turn(x: Tensor, cos: Tensor, sin: Tensor, direction: float) -> Tensor:
    """(a, b) -> (a cos + b sin, b cos - a sin), with sin negated for the way back."""
    a, b = x.chunk(2, dim=-1)
    first = torch.addcmul(a * cos, b, sin, value=direction)
    return torch.cat((first, torch.addcmul(b * cos, a, sin, value=-direction)), dim=-1)
