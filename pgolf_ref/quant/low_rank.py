"""LQER: a quantised correction of low rank for what quantisation got wrong, added to the weights after dequantising.

Invariants: W is about Q + A B with A (rows, rank) and B (rank, columns) from the singular vectors of W - Q, largest first; codes
keep to their range; a rank of 0 corrects nothing.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from pgolf_ref.quant.scales import SMALLEST

LEFT_RANGE, RIGHT_RANGE = (-2, 1), (-8, 7)  # codes of two and four bits
LEFT_STEP, RIGHT_STEP = 1.5, 7.5  # the largest value in steps, between the ends of the range
SYMMETRIC_LARGEST = 7


@dataclass(frozen=True, slots=True)
class Correction:
    """int8 codes (rows, rank) and (rank, columns); float16 scales, each for a run of equally many elements."""

    left: Tensor
    left_scales: Tensor
    right: Tensor
    right_scales: Tensor

    def expanded(self) -> Tensor:
        """(rows, columns), float32"""
        return _times(self.left, self.left_scales) @ _times(self.right, self.right_scales)


def asymmetric(error: Tensor, rank: int, group: int = 64) -> Correction:
    """A in two bits with one scale, B in four bits with a scale per `group` elements, per row where that does not divide it."""
    left, right = _factors(error, rank)
    run = group if right.numel() % group == 0 else right.size(1)
    return Correction(*_codes(left, left.numel(), LEFT_STEP, LEFT_RANGE), *_codes(right, run, RIGHT_STEP, RIGHT_RANGE))


def symmetric(error: Tensor, rank: int) -> Correction:
    """Both in four bits with a scale per row."""
    left, right = _factors(error, rank)
    ends = (-SYMMETRIC_LARGEST, SYMMETRIC_LARGEST)
    return Correction(*_codes(left, left.size(1), SYMMETRIC_LARGEST, ends), *_codes(right, right.size(1), SYMMETRIC_LARGEST, ends))


def _factors(error: Tensor, rank: int) -> tuple[Tensor, Tensor]:
    """A = U S and B = V^T of the largest singular values."""
    left, values, right = torch.linalg.svd(error, full_matrices=False)
    return left[:, :rank] * values[:rank], right[:rank]


def _codes(factor: Tensor, run: int, largest: float, ends: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Codes, and the scale of each run of elements."""
    if factor.numel() == 0:
        return factor.to(torch.int8), factor.new_zeros(0, dtype=torch.float16)
    runs = factor.reshape(-1, run)
    scales = (runs.abs().amax(dim=1) / largest).to(torch.float16).clamp(min=SMALLEST)
    codes = (runs / scales.to(runs.dtype).unsqueeze(1)).round().clamp(*ends)
    return codes.to(torch.int8).view(factor.shape), scales


def _times(codes: Tensor, scales: Tensor) -> Tensor:
    if codes.numel() == 0:
        return codes.to(torch.float32)
    runs = codes.to(torch.float32).reshape(scales.numel(), -1)
    return (runs * scales.to(torch.float32).unsqueeze(1)).view(codes.shape)
