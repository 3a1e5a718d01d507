"""Rounding to the nearest code: the one place where weights and scales become codes.

Invariants: |code| <= 2^(bits-1) - 1; a scale of zero gives codes of zero; values that are multiples of their scale keep their codes.
"""

import torch
from torch import Tensor


def largest_code(bits: int) -> int:
    return (1 << (bits - 1)) - 1


def nearest(weight: Tensor, scales: Tensor, bits: int) -> Tensor:
    """(..., rows, columns), (..., rows) -> codes of the same shape and type as the weights."""
    return to_codes(weight, steps_of(scales).unsqueeze(-1), bits)


def steps_of(scales: Tensor) -> Tensor:
    """What weights are divided by."""
    return torch.where(scales > 0, scales, torch.inf)


def to_codes(weight: Tensor, steps: Tensor, bits: int) -> Tensor:
    """As `nearest`, with steps that broadcast against the weights."""
    limit = largest_code(bits)
    return (weight / steps).round_().clamp_(-limit, limit)
