"""What an artifact holds, matrix by matrix and vector by vector, and where in the text its losses lie.

Losses are those that `evaluate --losses` writes. Groups are powers of two: 1, 2 to 3, 4 to 7 and so on; all sums are of float64.
"""

import dataclasses
import json
import math
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pgolf_ref.data.pieces import BOS
from pgolf_ref.errors import UserError
from pgolf_ref.model.gpt import GPT
from pgolf_ref.quant.artifact import load_model

ARRAYS = ("tokens", "bytes", "nats")


@dataclass(frozen=True, slots=True)
class Matrix:
    """Figures of a matrix: its effective rank is exp(entropy of the shares of its singular values) (Roy and Vetterli 2007).

    `condition` is the largest singular value over the smallest, `outlier` the largest norm of a row over the median one.
    """

    name: str
    rows: int
    columns: int
    effective_rank: float
    condition: float
    outlier: float


@dataclass(frozen=True, slots=True)
class Vector:
    """The range of gains, gates and mixing weights."""

    name: str
    count: int
    least: float
    mean: float
    most: float


@dataclass(frozen=True, slots=True)
class Group:
    """The tokens with `what` from `least` to `most`: how many, nats per token and bits per byte."""

    what: str
    least: int
    most: int
    tokens: int
    loss: float
    bpb: float


@dataclass(frozen=True, slots=True)
class Inspection:
    """All that is told."""

    matrices: tuple[Matrix, ...]
    vectors: tuple[Vector, ...]
    losses: tuple[Group, ...]


def inspected(artifact: Path, losses: Path | None) -> Inspection:
    """Of an artifact, and of a file of losses if there is one. UserError for files that are neither."""
    try:
        model = load_model(artifact.read_bytes())
    except OSError as error:
        raise UserError(f"cannot read {artifact}: {error.strerror}; name an artifact such as model_seed42.pgolf") from error
    groups = loss_groups(_read(losses)) if losses is not None else ()
    return Inspection(*figures_of(model), groups)


def figures_of(model: GPT) -> tuple[tuple[Matrix, ...], tuple[Vector, ...]]:
    """Of every parameter, in the model's order; those of one number or more dimensions than two are told as vectors."""
    parameters = [(name, parameter.detach()) for name, parameter in model.named_parameters()]
    matrices = tuple(matrix_figures(name, weight) for name, weight in parameters if weight.dim() == 2 and min(weight.shape) > 1)
    named = {each.name for each in matrices}
    vectors = tuple(_vector(name, weight) for name, weight in parameters if name not in named and weight.numel())
    return matrices, vectors


def matrix_figures(name: str, weight: Tensor) -> Matrix:
    """Of a matrix (rows, columns); one of zeros has the rank 0 and the condition infinity."""
    wide = weight.to(torch.float64)
    values = torch.linalg.svdvals(wide)
    shares = values[values > 0] / values.sum()
    rank = math.exp(float(-(shares * shares.log()).sum())) if len(shares) else 0.0
    condition = float(values[0] / values[-1]) if values[-1] > 0 else math.inf
    norms = wide.norm(dim=1)
    middle = float(norms.median())
    return Matrix(name, *weight.shape, rank, condition, float(norms.max()) / middle if middle else math.inf)


def _vector(name: str, weight: Tensor) -> Vector:
    return Vector(name, weight.numel(), float(weight.min()), float(weight.to(torch.float64).mean()), float(weight.max()))


def loss_groups(arrays: Mapping[str, NDArray[Any]]) -> tuple[Group, ...]:
    """By place in the document (its first token after BOS is 1), by length of the document in tokens, and by bytes of the token."""
    tokens, sizes, nats = (arrays[name] for name in ARRAYS)
    begins = np.flatnonzero(tokens == BOS)
    edges = np.concatenate([[-1], begins])  # before the first BOS the text is taken to be one document
    document = np.searchsorted(begins, np.arange(len(tokens)), side="right")
    places = np.arange(len(tokens)) - edges[document]
    lengths = np.diff(np.append(edges, len(tokens)))[document] - 1
    kinds = {"place": places, "length": lengths, "bytes": sizes}
    return tuple(group for what, values in kinds.items() for group in _groups(what, values, sizes, nats))


def _groups(what: str, values: NDArray[Any], sizes: NDArray[Any], nats: NDArray[Any]) -> Iterable[Group]:
    """0 alone, then powers of two."""
    classes = np.where(values > 0, np.floor(np.log2(np.maximum(values, 1))).astype(int) + 1, 0)
    for number in np.unique(classes).tolist():
        own = classes == number
        least, most = (2 ** (number - 1), 2**number - 1) if number else (0, 0)
        loss, size = float(nats[own].sum()), int(sizes[own].sum())
        yield Group(what, least, most, int(own.sum()), loss / int(own.sum()), loss / size / math.log(2) if size else math.inf)


def _read(path: Path) -> dict[str, NDArray[Any]]:
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in ARRAYS}
        if len({array.shape for array in arrays.values()}) > 1 or arrays["tokens"].ndim != 1 or not len(arrays["tokens"]):
            raise ValueError("its arrays do not belong together")
        return arrays
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise UserError(f"{path} holds no losses ({error}): name a file that `pgolf-train evaluate --losses` wrote") from error


def as_text(found: Inspection) -> str:
    """Three tables."""
    parts = [
        _table(
            ("matrix", "rows", "columns", "effective rank", "condition", "row outlier"),
            [
                (m.name, f"{m.rows}", f"{m.columns}", f"{m.effective_rank:.1f}", f"{m.condition:.3g}", f"{m.outlier:.2f}")
                for m in found.matrices
            ],
        ),
        _table(
            ("vector", "numbers", "least", "mean", "most"),
            [(v.name, f"{v.count}", f"{v.least:.4g}", f"{v.mean:.4g}", f"{v.most:.4g}") for v in found.vectors],
        ),
    ]
    if found.losses:
        head = ("tokens by", "from", "to", "tokens", "val_loss", "val_bpb")
        rows = [(g.what, f"{g.least}", f"{g.most}", f"{g.tokens:,}", f"{g.loss:.4f}", f"{g.bpb:.4f}") for g in found.losses]
        parts.append(_table(head, rows))
    return "\n\n".join(parts)


def as_json(found: Inspection) -> str:
    """The same as JSON; an infinite figure is null."""

    def plain(value: Any) -> Any:
        return None if isinstance(value, float) and not math.isfinite(value) else value

    tables = dataclasses.asdict(found)
    rows = {name: [{key: plain(value) for key, value in row.items()} for row in table] for name, table in tables.items()}
    return json.dumps(rows, indent=2)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    lines = [
        [row[0].ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(row[1:], widths[1:], strict=True))] for row in (head, *rows)
    ]
    return "\n".join("  ".join(line) for line in lines)
