"""Rounding to the nearest code: the one place where weights and scales become codes.

Invariants: |code| <= 2^(bits-1) - 1; a scale of zero gives codes of zero; values that are multiples of their scale keep their codes.
"""

import torch
from torch import Tensor


def largest_code(bits: int) -> int:
    return (1 << (bits - 1)) - 1


def nearest(weight: Tensor, scales: Tensor, bits: int) -> Tensor:
    """(..., rows, columns), (..., rows) -> codes of the same shape and type as the weights."""
    limit, steps = largest_code(bits), torch.where(scales > 0, scales, torch.inf).unsqueeze(-1)
    return (weight / steps).round_().clamp_(-limit, limit)
