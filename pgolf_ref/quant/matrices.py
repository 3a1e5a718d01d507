"""Matrices as codes of integers: scales, then codes, then corrections, each by the method that the configuration gives a role.

Invariants: what `expanded` gives is exactly what a loaded artifact computes with; scales are float16 before any code is chosen; the
outcome depends on the weights, the configuration and the statistics alone.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import groupby

import torch
from torch import Tensor

from pgolf_ref.config.export import ExportConfig
from pgolf_ref.errors import UserError
from pgolf_ref.quant.descent import descend
from pgolf_ref.quant.gptq import GPTQSettings, best_of_both, qronos
from pgolf_ref.quant.low_rank import Correction, asymmetric, symmetric
from pgolf_ref.quant.rounding import largest_code, nearest
from pgolf_ref.quant.routes import Method
from pgolf_ref.quant.rtn import checked, dequantise
from pgolf_ref.quant.scales import clip_search, from_deviation, from_deviation_and_hessian, from_largest
from pgolf_ref.quant.statistics import InputStatistics

SMALLEST_INPUT, LARGEST_FACTOR = 1e-6, 1024.0  # of AWQ, so that factors are float16
BATCH_BYTES = 2**29  # of the Hessians that GPTQ works on at once


@dataclass(frozen=True, slots=True)
class Matrix:
    """A matrix to quantise: (rows, columns) in float32, bits, method, and statistics of its inputs, where there are any."""

    name: str
    weight: Tensor
    bits: int
    method: Method
    inputs: InputStatistics | None


@dataclass(frozen=True, slots=True)
class Quantised:
    """int8 codes (rows, columns), float16 scales (rows,), and what is done after dequantising."""

    codes: Tensor
    scales: Tensor
    columns: Tensor | None = None  # float16 (columns,): factors of AWQ
    correction: Correction | None = None

    def expanded(self) -> Tensor:
        """(rows, columns), float32"""
        weight = dequantise(self.codes, self.scales)
        if self.columns is not None:
            weight = weight * self.columns.to(torch.float32)
        return weight if self.correction is None else weight + self.correction.expanded()


def quantise_all(matrices: list[Matrix], export: ExportConfig) -> dict[str, Quantised]:
    """Every matrix by its name."""
    prepared = [replace(m, weight=prune_smallest(clamp_rows(m.weight, export.row_clamp), m.method.prune)) for m in matrices]
    found = _multiplied(prepared, export) if export.awq else _rounded(prepared, export)
    return _corrected({matrix.name: matrix.weight for matrix in prepared}, found, export)


def _multiplied(matrices: list[Matrix], export: ExportConfig) -> dict[str, Quantised]:
    """With factors of the columns, where the method has them."""
    columns = {matrix.name: column_factors(matrix) for matrix in matrices}
    found = _rounded([_divided(matrix, columns[matrix.name]) for matrix in matrices], export)
    return {name: replace(quantised, columns=columns[name]) for name, quantised in found.items()}


def _rounded(matrices: list[Matrix], export: ExportConfig) -> dict[str, Quantised]:
    return dict(_codes([(matrix, _scales(matrix, export)) for matrix in matrices], export))


def clamp_rows(weight: Tensor, deviations: float) -> Tensor:
    """(rows, columns), none further from zero than so many standard deviations of its row; 0 clamps nothing."""
    if deviations == 0:
        return weight
    limit = deviations * weight.std(dim=1, keepdim=True)
    return weight.clamp(-limit, limit)


def prune_smallest(weight: Tensor, share: float) -> Tensor:
    """(rows, columns) with the given share of it zero, those that are nearest to zero."""
    count = int(share * weight.numel())
    if count == 0:
        return weight
    return weight.masked_fill(weight.abs() <= weight.abs().flatten().kthvalue(count).values, 0)


def column_factors(matrix: Matrix) -> Tensor | None:
    """float16 (columns,) that multiply after dequantising: AWQ's mean |x| to the power of -alpha, relative to their geometric mean."""
    if matrix.method.awq == 0 or matrix.inputs is None:
        return None
    logs = matrix.inputs.magnitude.clamp(min=SMALLEST_INPUT).log()
    return ((logs.mean() - logs) * matrix.method.awq).exp().clamp(1 / LARGEST_FACTOR, LARGEST_FACTOR).to("cpu", torch.float16)


def _divided(matrix: Matrix, columns: Tensor | None) -> Matrix:
    """The matrix to round: weights divided by the factors as stored, inputs multiplied by them."""
    if columns is None or matrix.inputs is None:
        return matrix
    factors = columns.to(matrix.weight)
    inputs = matrix.inputs
    both = factors * factors.unsqueeze(1)
    cross = None if inputs.cross is None else inputs.cross * both
    return replace(matrix, weight=matrix.weight / factors, inputs=replace(inputs, hessian=inputs.hessian * both, cross=cross))


def _scales(matrix: Matrix, export: ExportConfig) -> Tensor:
    """float16 (rows,)"""
    wide, way, bits = matrix.weight.to(torch.float64), matrix.method, matrix.bits
    if not torch.isfinite(wide).all():
        raise UserError(f"a weight of {matrix.name} is not finite: the model has diverged and cannot be exported")
    if "search" in export.scale_kinds and way.scales == "search":
        found = clip_search(wide, bits)
    elif "hessian" in export.scale_kinds and way.scales == "hessian" and matrix.inputs is not None:
        diagonal = matrix.inputs.hessian.diagonal().to(wide)
        found = from_deviation_and_hessian(wide, bits, way.clip, diagonal, export.hessian_share)
    elif way.scales in ("deviation", "hessian"):
        found = from_deviation(wide, bits, way.clip)
    else:
        found = from_largest(wide, bits)
    return checked(found.clamp(min=export.scale_floor / largest_code(bits)).to(torch.float16))


def _codes(scaled: list[tuple[Matrix, Tensor]], export: ExportConfig) -> Iterator[tuple[str, Quantised]]:
    """By rounding to nearest, or by what inputs say, in batches of one shape."""
    waiting = []
    for matrix, scales in scaled:
        if matrix.method.rounding == "nearest" or matrix.inputs is None:
            codes = nearest(matrix.weight.to(torch.float64), scales.to(torch.float64), matrix.bits)
            yield matrix.name, _quantised(codes, scales)
        else:
            waiting.append((matrix, scales))
    for batch in _batches(waiting):
        found = _by_inputs(batch, export)
        for (matrix, scales), codes in zip(batch, found, strict=True):
            yield matrix.name, _quantised(codes, scales)


def _quantised(codes: Tensor, scales: Tensor) -> Quantised:
    return Quantised(codes.to("cpu", torch.int8), scales.to("cpu"))


def _batches(waiting: list[tuple[Matrix, Tensor]]) -> Iterator[list[tuple[Matrix, Tensor]]]:
    """Matrices of one shape, width of codes and way of rounding, as many as fit."""

    def kind(item: tuple[Matrix, Tensor]) -> tuple[str, ...]:
        return (item[0].method.rounding, str(tuple(item[0].weight.shape)), str(item[0].bits))

    for _, group in groupby(sorted(waiting, key=kind), key=kind):
        alike = list(group)
        count = max(1, BATCH_BYTES // (4 * alike[0][0].weight.size(1) ** 2))
        yield from (alike[start : start + count] for start in range(0, len(alike), count))


def _by_inputs(batch: list[tuple[Matrix, Tensor]], export: ExportConfig) -> Tensor:
    """Codes by GPTQ and, where the method goes on from there, by coordinate descent."""
    weights = torch.stack([matrix.weight for matrix, _ in batch])
    hessians = torch.stack([matrix.inputs.hessian for matrix, _ in batch if matrix.inputs is not None]).to(weights)
    scales, bits = torch.stack([scales for _, scales in batch]).to(weights), batch[0][0].bits
    settings = GPTQSettings(export.gptq_block, export.gptq_damping, export.gptq_act_order)
    if "qronos" in export.roundings and batch[0][0].method.rounding == "qronos":
        crosses = torch.stack([matrix.inputs.correlation for matrix, _ in batch if matrix.inputs is not None]).to(weights)
        return qronos(weights, hessians, crosses, scales, bits, settings)
    codes = best_of_both(weights, hessians, scales, bits, settings)
    if "cdquant" in export.roundings and batch[0][0].method.rounding == "cdquant":
        return descend(weights, hessians, scales, bits, codes, weights.size(-1))
    return codes


def _corrected(weights: Mapping[str, Tensor], found: dict[str, Quantised], export: ExportConfig) -> dict[str, Quantised]:
    """With corrections of low rank for the matrices whose error is largest."""
    if export.lqer_rank == 0:
        return found
    errors = {name: weights[name].cpu() - quantised.expanded() for name, quantised in found.items()}
    worst = sorted(errors, key=lambda name: float(errors[name].norm()), reverse=True)[: export.lqer_top]
    corrections = {name: _correction(errors[name], export) for name in worst}
    return {name: replace(quantised, correction=corrections.get(name)) for name, quantised in found.items()}


def _correction(error: Tensor, export: ExportConfig) -> Correction:
    if export.lqer_form == "symmetric":
        return symmetric(error, export.lqer_rank)
    return asymmetric(error, export.lqer_rank, export.lqer_group)
