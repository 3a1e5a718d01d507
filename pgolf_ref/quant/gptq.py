"""GPTQ: columns are rounded one after another, and the columns that follow take over the error that each one leaves.

The error of a row is e H e^T, with e what quantisation changes and H the Hessian, the sum of x x^T over calibration inputs x.
Matrices of one shape go through together as a batch. Invariants: scales are given and stay; a dead column (no input) becomes zero;
values that are multiples of their scale keep their codes; `best_of_both` is never worse than rounding to nearest, in any row.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from pgolf_ref.quant.rounding import nearest


@dataclass(frozen=True, slots=True)
class GPTQSettings:
    """Columns per block, share of the mean diagonal that is added to it, and whether columns go by falling diagonal."""

    block: int = 128
    damping: float = 0.01
    act_order: bool = True


def row_errors(weight: Tensor, codes: Tensor, scales: Tensor, hessian: Tensor) -> Tensor:
    """e H e^T of every row: (batch, rows)"""
    error = weight - codes * scales.unsqueeze(-1)
    return ((error @ hessian) * error).sum(dim=-1)


def gptq(weight: Tensor, hessian: Tensor, scales: Tensor, bits: int, settings: GPTQSettings | None = None) -> Tensor:
    """Codes (batch, rows, columns) of weights of that shape, Hessians (batch, columns, columns) and scales (batch, rows)."""
    chosen = settings or GPTQSettings()
    dead = torch.diagonal(hessian, dim1=-2, dim2=-1) == 0
    order = _order(hessian, chosen.act_order)
    work = _by_column(weight.masked_fill(dead.unsqueeze(-2), 0), order)
    factor = _factor(hessian, dead, order, chosen.damping)
    codes = _rounded(work, factor, scales, bits, chosen.block)
    return _by_column(codes, order.argsort(dim=-1))


def best_of_both(weight: Tensor, hessian: Tensor, scales: Tensor, bits: int, settings: GPTQSettings | None = None) -> Tensor:
    """As `gptq`, but rounded to nearest in the rows where that leaves the smaller error."""
    shifted, plain = gptq(weight, hessian, scales, bits, settings), nearest(weight, scales, bits)
    worse = row_errors(weight, shifted, scales, hessian) > row_errors(weight, plain, scales, hessian)
    return torch.where(worse.unsqueeze(-1), plain, shifted)


def _order(hessian: Tensor, act_order: bool) -> Tensor:
    diagonal = torch.diagonal(hessian, dim1=-2, dim2=-1)
    if act_order:
        return diagonal.argsort(dim=-1, descending=True, stable=True)
    return torch.arange(diagonal.size(-1), device=hessian.device).expand(diagonal.shape)


def _by_column(matrix: Tensor, order: Tensor) -> Tensor:
    return matrix.gather(-1, order.unsqueeze(-2).expand(matrix.shape))


def _factor(hessian: Tensor, dead: Tensor, order: Tensor, damping: float) -> Tensor:
    """The upper Cholesky factor of the inverse of the damped Hessian, in the order of the columns."""
    diagonal = torch.diagonal(hessian, dim1=-2, dim2=-1)
    added = damping * diagonal.mean(dim=-1, keepdim=True) + dead.to(hessian.dtype)
    damped = hessian + torch.diag_embed(added)
    permuted = _by_column(_by_column(damped, order).mT, order)
    inverse = torch.cholesky_inverse(torch.linalg.cholesky(permuted))
    return torch.linalg.cholesky(inverse, upper=True)


def _rounded(work: Tensor, factor: Tensor, scales: Tensor, bits: int, block: int) -> Tensor:
    """Codes of `work`, whose columns are used up from left to right."""
    codes, columns = torch.empty_like(work), work.size(-1)
    for start in range(0, columns, block):
        end = min(start + block, columns)
        part, errors = work[..., start:end], torch.empty_like(work[..., start:end])
        for index in range(end - start):
            row = factor[..., start + index, start:end]
            column = part[..., index : index + 1]
            code = nearest(column, scales, bits)
            codes[..., start + index : start + index + 1] = code
            error = (column - code * scales.unsqueeze(-1)) / row[..., index, None, None]
            errors[..., index : index + 1] = error
            part[..., index + 1 :] -= error * row[..., None, index + 1 :]
        work[..., end:] -= errors @ factor[..., start:end, end:]
    return codes
