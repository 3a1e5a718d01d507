"""Figures of every parameter of an artifact, matrix by matrix and vector by vector."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from pgolf_ref.errors import UserError
from pgolf_ref.model.gpt import GPT
from pgolf_ref.quant.arrays import SCALES, Arrays

ROUNDING = 1 / 12
"""Variance of the error of rounding to whole numbers, if it is uniform."""


@dataclass(frozen=True, slots=True)
class Matrix:
    """Figures of a matrix: its effective rank is exp(entropy of the shares of its singular values) (Roy and Vetterli 2007).

    `condition` is the largest singular value over the smallest, `outlier` the largest norm of a row over the median one.
    `rounding` is what rounding to its scales costs, as a share of its norm, if the errors are uniform; None where it has no scales of rows.
    `error` is what quantisation changed, as a share of the norm before it; None where the weights before it are not known.
    """

    name: str
    rows: int
    columns: int
    effective_rank: float
    condition: float
    outlier: float
    rounding: float | None = None
    error: float | None = None


@dataclass(frozen=True, slots=True)
class Vector:
    """The range of gains, gates and mixing weights."""

    name: str
    count: int
    least: float
    mean: float
    most: float


def figures_of(
    model: GPT, arrays: Arrays, before: Mapping[str, Tensor] | None = None
) -> tuple[tuple[Matrix, ...], tuple[Vector, ...]]:
    """Of every parameter, in the model's order; those of one number or more dimensions than two are told as vectors.

    `arrays` are those of the artifact, `before` the weights before quantisation. UserError if those are of another model.
    """
    scales = {name.removesuffix(SCALES): torch.from_numpy(array) for name, array in arrays.items() if name.endswith(SCALES)}
    parameters = [(name, parameter.detach()) for name, parameter in model.named_parameters()]
    if before is not None:
        _refuse_others(before, dict(parameters))
    matrices = tuple(
        matrix_figures(name, weight, _of_rows(scales, name, weight), None if before is None else before[name])
        for name, weight in parameters
        if weight.dim() == 2 and min(weight.shape) > 1
    )
    named = {each.name for each in matrices}
    vectors = tuple(_vector(name, weight) for name, weight in parameters if name not in named and weight.numel())
    return matrices, vectors


def _of_rows(scales: Mapping[str, Tensor], name: str, weight: Tensor) -> Tensor | None:
    found = scales.get(name)
    return found if found is not None and found.shape == weight.shape[:1] else None


def _refuse_others(before: Mapping[str, Tensor], parameters: Mapping[str, Tensor]) -> None:
    for name in sorted(before.keys() | parameters.keys()):
        shapes = [tuple(each[name].shape) if name in each else "none" for each in (before, parameters)]
        if shapes[0] != shapes[1]:
            raise UserError(f"the weights are not those of this artifact: {name} has the shape {shapes[0]} there, {shapes[1]} here")


def matrix_figures(name: str, weight: Tensor, scales: Tensor | None = None, before: Tensor | None = None) -> Matrix:
    """Of a matrix (rows, columns), the scales (rows,) of its codes, and the matrix before quantisation.

    One of zeros has the rank 0 and the condition infinity.
    """
    wide = weight.to(torch.float64)
    values = torch.linalg.svdvals(wide)
    shares = values[values > 0] / values.sum()
    rank = math.exp(float(-(shares * shares.log()).sum())) if len(shares) else 0.0
    condition = float(values[0] / values[-1]) if values[-1] > 0 else math.inf
    norms = wide.norm(dim=1)
    middle, whole = float(norms.median()), float(wide.norm())
    rounding = None
    if scales is not None and whole:
        rounding = math.sqrt(ROUNDING * weight.shape[1] * float(scales.to(torch.float64).square().sum())) / whole
    error = None if before is None else _share(wide - before, before)
    return Matrix(name, *weight.shape, rank, condition, float(norms.max()) / middle if middle else math.inf, rounding, error)


def _share(change: Tensor, before: Tensor) -> float:
    """Norm over norm, infinite where zeros have become anything."""
    size, whole = float(change.norm()), float(before.to(torch.float64).norm())
    return size / whole if whole else math.inf if size else 0.0


def _vector(name: str, weight: Tensor) -> Vector:
    return Vector(name, weight.numel(), float(weight.min()), float(weight.to(torch.float64).mean()), float(weight.max()))
