"""Round-to-nearest quantisation with one float16 scale per row.

Invariants: codes are rounded against the scale as stored; the error of an element is at most half a step, plus the rounding of the
scale; quantising dequantised values again gives the same codes and scales.
"""

import torch
from torch import Tensor

from pgolf_ref.errors import UserError
from pgolf_ref.quant.rounding import largest_code, nearest


def quantise(weight: Tensor, bits: int) -> tuple[Tensor, Tensor]:
    """(rows, columns) -> int8 codes (rows, columns), float16 scales (rows,)"""
    wide = weight.detach().to("cpu", torch.float64)
    scales = checked((wide.abs().amax(dim=1) / largest_code(bits)).to(torch.float16))
    return nearest(wide, scales.to(torch.float64), bits).to(torch.int8), scales


def checked(scales: Tensor) -> Tensor:
    """Scales of weights that can be stored; UserError for others."""
    if not torch.isfinite(scales).all():
        raise UserError("a weight is not finite or too large for a float16 scale: the model has diverged and cannot be exported")
    return scales


def dequantise(codes: Tensor, scales: Tensor) -> Tensor:
    """int8 (rows, columns), float16 (rows,) -> float32 (rows, columns)"""
    return codes.to(torch.float32) * scales.to(torch.float32).unsqueeze(1)
