"""Scales of rows: what one code is worth, chosen before the codes.

Invariants: a scale is a float16 value, at least SMALLEST (so that no row is divided by zero); it does not depend on other rows
but in `clip_search` and `from_deviation_and_hessian`, which look at the whole matrix.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from pgolf_ref.quant.rounding import largest_code, nearest

SMALLEST = 2.0**-24  # the smallest positive float16
QUANTILES = (0.999, 0.9995, 0.9999, 0.99999, 1.0)
HESSIAN_SHARE = 0.175  # of PR 1412


def from_largest(weight: Tensor, bits: int) -> Tensor:
    """(..., rows, columns) -> (..., rows): no weight is clipped."""
    return _stored(weight.abs().amax(dim=-1) / largest_code(bits))


def from_quantile(weight: Tensor, bits: int, quantile: float) -> Tensor:
    """Weights beyond the quantile of |w| of their row are clipped."""
    return _stored(weight.abs().quantile(quantile, dim=-1) / largest_code(bits))


def clip_search(weight: Tensor, bits: int, quantiles: Sequence[float] = QUANTILES) -> Tensor:
    """(rows, columns) -> (rows,): by the quantile with the least squared error over the matrix, the first of equals."""
    candidates = [from_quantile(weight, bits, quantile) for quantile in quantiles]
    return min(candidates, key=lambda scales: _squared_error(weight, scales, bits))


def from_deviation(weight: Tensor, bits: int, clip: float) -> Tensor:
    """SDClip: the largest code stands for `clip` standard deviations of the row."""
    return _stored(clip * weight.std(dim=-1) / largest_code(bits))


def from_deviation_and_hessian(weight: Tensor, bits: int, clip: float, diagonal: Tensor, share: float = HESSIAN_SHARE) -> Tensor:
    """SDClip with coarser steps for rows that are large where inputs are: diagonal (..., columns) of the Hessian.

    r is the mean of |w| weighted by the diagonal, relative to its mean over the rows; the scale is times 1 + share (r - 1).
    """
    weighted = (weight.abs() * (diagonal / diagonal.mean(dim=-1, keepdim=True)).unsqueeze(-2)).mean(dim=-1)
    relative = weighted / weighted.mean(dim=-1, keepdim=True)
    return _stored(clip * weight.std(dim=-1) / largest_code(bits) * (1 + share * (relative - 1)))


def _stored(scales: Tensor) -> Tensor:
    """As a float16 holds them, in the type of the weights."""
    return scales.to(torch.float16).to(scales.dtype).clamp(min=SMALLEST)


def _squared_error(weight: Tensor, scales: Tensor, bits: int) -> float:
    return float((nearest(weight, scales, bits) * scales.unsqueeze(-1) - weight).square().sum())
