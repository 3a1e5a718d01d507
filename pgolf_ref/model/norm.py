"""RMS normalisation: x / sqrt(mean(x^2) + eps) over the last axis (Zhang & Sennrich 2019), optionally scaled.

Invariant: equal to torch.nn.functional.rms_norm in value and gradient. The gradient is written out because the generic one
costs several times more on a CPU.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


def rms_norm(x: Tensor, scale: Tensor | None = None) -> Tensor:
    """(..., n, D) -> the same, every vector of D normalised and, with `scale` (n, 1), multiplied by the scale of its row.

    eps is the machine epsilon of the dtype.
    """
    y: Tensor = _RMSNorm.apply(x, scale)
    return y


class _RMSNorm(torch.autograd.Function):
    """With r = 1 / rms(x): y = w r x and dx = w r (g - x r^2 mean(g x)), dw = sum of r (g . x)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, scale: Tensor | None) -> Tensor:
        wide = torch.promote_types(x.dtype, torch.float32)
        norm = torch.linalg.vector_norm(x, dim=-1, keepdim=True, dtype=wide)
        inverse = norm.square_().div_(x.size(-1)).add_(torch.finfo(x.dtype).eps).rsqrt_()
        ctx.save_for_backward(x, inverse, scale)
        return (x * (inverse if scale is None else inverse * scale)).to(x.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, Tensor | None]:
        x, inverse, scale = ctx.saved_tensors
        dot = (g * x).sum(dim=-1, keepdim=True, dtype=inverse.dtype)
        factor = inverse if scale is None else inverse * scale
        shrink = dot * inverse.square() / -x.size(-1)
        dx = torch.addcmul(g, x, shrink).mul_(factor) if g.dtype == shrink.dtype else ((g + x * shrink) * factor).to(x.dtype)
        d_scale = None if scale is None else (dot * inverse).flatten(0, -3).sum(dim=0).to(scale.dtype)
        return dx, d_scale
