"""Round-to-nearest quantisation with one float16 scale per row.

Invariants: |code| <= 2^(bits-1) - 1; codes are rounded against the scale as stored; the error of an element is at most half a
step, plus the rounding of the scale; quantising dequantised values again gives the same codes and scales.
"""

import torch
from torch import Tensor

from pgolf_ref.errors import UserError


def largest_code(bits: int) -> int:
    return (1 << (bits - 1)) - 1


def quantise(weight: Tensor, bits: int) -> tuple[Tensor, Tensor]:
    """(rows, columns) -> int8 codes (rows, columns), float16 scales (rows,)"""
    wide = weight.detach().to("cpu", torch.float64)
    limit = largest_code(bits)
    scales = (wide.abs().amax(dim=1) / limit).to(torch.float16)
    if not torch.isfinite(scales).all():
        raise UserError("a weight is not finite or too large for a float16 scale: the model has diverged and cannot be exported")
    steps = scales.to(torch.float64).unsqueeze(1)
    codes = (wide / torch.where(steps > 0, steps, torch.inf)).round().clamp(-limit, limit)
    return codes.to(torch.int8), scales


def dequantise(codes: Tensor, scales: Tensor) -> Tensor:
    """int8 (rows, columns), float16 (rows,) -> float32 (rows, columns)"""
    return codes.to(torch.float32) * scales.to(torch.float32).unsqueeze(1)
