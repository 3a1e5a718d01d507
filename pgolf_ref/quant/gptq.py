"""GPTQ: columns are rounded one after another, and the columns that follow take over the error that each one leaves.

The error of a row is e H e^T, with e what quantisation changes and H the Hessian, the sum of x x^T over calibration inputs x.
The Hessian H = M M^T with M upper triangular makes that the sum over columns j of the squares of sum_{k <= j} e_k M_kj; a column is
rounded so that its own term is least, given the errors of those before it. These are the codes of GPTQ (Frantar et al. 2023) with a
factor of the inverse, as Chen et al. 2025 show (GPTQ is Babai's nearest plane); this form needs no inverse.

Matrices of one shape go through together as a batch. Invariants: scales are given and stay; a dead column (no input) becomes zero;
values that are multiples of their scale keep their codes; `best_of_both` is never worse than rounding to nearest, in any row.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from pgolf_ref.quant.rounding import nearest, steps_of, to_codes

INNER = 16  # columns whose feedback is added one column at a time, before it is a product of matrices


@dataclass(frozen=True, slots=True)
class GPTQSettings:
    """Columns per block, share of the mean diagonal that is added to it, and whether columns go by falling diagonal.

    The public scripts damp by 0.01, which their inverse needs; less damping leaves a smaller error.
    """

    block: int = 128
    damping: float = 0.002
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
    feedback = _feedback(hessian, dead, order, chosen.damping)
    codes = _rounded(work.mT.contiguous(), feedback, scales, bits, chosen.block).mT
    return _by_column(codes, order.argsort(dim=-1))


def best_of_both(weight: Tensor, hessian: Tensor, scales: Tensor, bits: int, settings: GPTQSettings | None = None) -> Tensor:
    """As `gptq`, but rounded to nearest in the rows where that leaves the smaller error."""
    shifted, plain = gptq(weight, hessian, scales, bits, settings), nearest(weight, scales, bits)
    worse = row_errors(weight, shifted, scales, hessian) > row_errors(weight, plain, scales, hessian)
    return torch.where(worse.unsqueeze(-1), plain, shifted)


def qronos(
    weight: Tensor, hessian: Tensor, cross: Tensor, scales: Tensor, bits: int, settings: GPTQSettings | None = None
) -> Tensor:
    """Codes for inputs that earlier rounding has changed (Qronos, Zhang et al. 2025): the least error of Q x~ against W x.

    `hessian` is the mean of x~ x~^T, `cross` that of x~ x^T, both (batch, columns, columns). The first column corrects what the change
    of the inputs does, the others given; from then on it is GPTQ of the weights that best undo the change. Rows in which rounding to
    nearest leaves the smaller error are rounded to nearest.
    """
    chosen = settings or GPTQSettings()
    diagonal = torch.diagonal(hessian, dim1=-2, dim2=-1)
    dead, order = diagonal == 0, _order(hessian, chosen.act_order)
    drift = weight @ (cross - hessian).mT
    damped = hessian + torch.diag_embed(chosen.damping * diagonal.mean(dim=-1, keepdim=True) + dead.to(hessian.dtype))
    wanted = (weight + torch.linalg.solve(damped, drift, left=False)).masked_fill(dead.unsqueeze(-2), 0)
    corrected = weight + drift / torch.where(dead, torch.inf, diagonal).unsqueeze(-2)
    first = corrected.gather(-1, order[..., :1].unsqueeze(-2).expand(*weight.shape[:-1], 1)).squeeze(-1)
    work = _by_column(wanted, order).mT.contiguous()
    codes = _rounded(work, _feedback(hessian, dead, order, chosen.damping), scales, bits, chosen.block, first)
    shifted, plain = _by_column(codes.mT, order.argsort(dim=-1)), nearest(weight, scales, bits)
    worse = row_errors(wanted, shifted, scales, hessian) > row_errors(wanted, plain, scales, hessian)
    return torch.where(worse.unsqueeze(-1), plain, shifted)


def _order(hessian: Tensor, act_order: bool) -> Tensor:
    diagonal = torch.diagonal(hessian, dim1=-2, dim2=-1)
    if act_order:
        return diagonal.argsort(dim=-1, descending=True, stable=True)
    return torch.arange(diagonal.size(-1), device=hessian.device).expand(diagonal.shape)


def _by_column(matrix: Tensor, order: Tensor) -> Tensor:
    return matrix.gather(-1, order.unsqueeze(-2).expand(matrix.shape))


def _feedback(hessian: Tensor, dead: Tensor, order: Tensor, damping: float) -> Tensor:
    """M_kj / M_jj of the damped Hessian M M^T, in the order of the columns: what the error of column k adds to column j after it."""
    diagonal = torch.diagonal(hessian, dim1=-2, dim2=-1)
    added = damping * diagonal.mean(dim=-1, keepdim=True) + dead.to(hessian.dtype)
    backward = order.flip(-1)
    permuted = _by_column(_by_column(hessian, backward).mT, backward)
    permuted.diagonal(dim1=-2, dim2=-1).add_(added.expand_as(diagonal).gather(-1, backward))
    lower, failed = torch.linalg.cholesky_ex(permuted)
    if failed.any():  # few inputs, many columns: single precision does not tell the damping from zero
        lower = torch.linalg.cholesky(permuted.double()).to(permuted)
    return (lower / torch.diagonal(lower, dim1=-2, dim2=-1).unsqueeze(-2)).flip(-1, -2)


def _rounded(work: Tensor, feedback: Tensor, scales: Tensor, bits: int, block: int, first_target: Tensor | None = None) -> Tensor:
    """Codes (batch, columns, rows) of weights of that shape, from the first column to the last; the first may have another target."""
    columns, target = work.size(1), work.clone()
    if first_target is not None:
        target[:, 0] = first_target
    codes, errors, steps = torch.empty_like(work), torch.empty_like(work), steps_of(scales)
    for start in range(0, columns, block):
        end = min(start + block, columns)
        for first in range(start, end, INNER):
            last = min(first + INNER, end)
            for column in range(first, last):
                code = to_codes(target[:, column], steps, bits)
                codes[:, column] = code
                error = torch.addcmul(work[:, column], code, scales, value=-1)
                errors[:, column] = error
                if column + 1 < last:
                    target[:, column + 1 : last].addcmul_(feedback[:, column, column + 1 : last, None], error[:, None])
            _pass_on(target[:, last:end], feedback[:, first:last, last:end], errors[:, first:last])
        _pass_on(target[:, end:], feedback[:, start:end, end:], errors[:, start:end])
    return codes


def _pass_on(target: Tensor, feedback: Tensor, errors: Tensor) -> None:
    """Add the errors of some columns to columns after them."""
    if target.size(1):
        target.baddbmm_(feedback.mT, errors)
