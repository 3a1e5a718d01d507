"""Where in the text the losses of an evaluation lie: by place, length of the document, bytes and class of the token, and expectation.

Losses are those that `evaluate --losses` writes; all sums are of float64.
"""

import math
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pgolf_ref.data.pieces import BOS
from pgolf_ref.data.vocabulary import Kind
from pgolf_ref.errors import UserError

ARRAYS = ("tokens", "bytes", "kinds", "nats", "expected")
PLACE, LENGTH, BYTES, CLASS, EXPECTATION = ("place", "length", "bytes", "class", "expected nats")

Arrays = Mapping[str, NDArray[Any]]
Labelled = tuple[str, NDArray[np.bool_]]


@dataclass(frozen=True, slots=True)
class Group:
    """The tokens of a class of `what`: how many, nats per token that the distributions expected, and that there were, bits per byte."""

    what: str
    label: str
    tokens: int
    expected: float
    loss: float
    bpb: float


def read_losses(path: Path) -> dict[str, NDArray[Any]]:
    """The arrays of a file of losses; UserError for anything else."""
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in ARRAYS}
        if len({array.shape for array in arrays.values()}) > 1 or arrays["tokens"].ndim != 1 or not len(arrays["tokens"]):
            raise ValueError("its arrays do not belong together")
        return arrays
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise UserError(f"{path} holds no losses ({error}): name a file that `pgolf-train evaluate --losses` wrote") from error


def loss_groups(arrays: Arrays) -> tuple[Group, ...]:
    """In groups of powers of two of the place in the document (its first token after BOS is 1), the length of the document in tokens,
    and the bytes of the token; by class of the token; and in nats that the distribution expected.
    """
    tokens = arrays["tokens"]
    begins = np.flatnonzero(tokens == BOS)
    edges = np.concatenate([[-1], begins])  # before the first BOS the text is taken to be one document
    document = np.searchsorted(begins, np.arange(len(tokens)), side="right")
    places = np.arange(len(tokens)) - edges[document]
    lengths = np.diff(np.append(edges, len(tokens)))[document] - 1
    groupings = {
        PLACE: _by_powers(places),
        LENGTH: _by_powers(lengths),
        BYTES: _by_powers(arrays["bytes"]),
        CLASS: _by_kind(arrays["kinds"]),
        EXPECTATION: _by_nats(arrays["expected"]),
    }
    return tuple(_group(what, label, own, arrays) for what, classes in groupings.items() for label, own in classes)


def _group(what: str, label: str, own: NDArray[np.bool_], arrays: Arrays) -> Group:
    loss, size, count = float(arrays["nats"][own].sum()), int(arrays["bytes"][own].sum()), int(own.sum())
    expected = float(arrays["expected"][own].sum()) / count
    return Group(what, label, count, expected, loss / count, loss / size / math.log(2) if size else math.inf)


def _by_powers(values: NDArray[Any]) -> Iterator[Labelled]:
    """0 alone, then powers of two: 1, 2 to 3, 4 to 7 and so on."""
    classes = np.where(values > 0, np.floor(np.log2(np.maximum(values, 1))).astype(int) + 1, 0)
    for number in np.unique(classes).tolist():
        least, most = (2 ** (number - 1), 2**number - 1) if number else (0, 0)
        yield (f"{least}" if least == most else f"{least} to {most}"), classes == number


def _by_kind(kinds: NDArray[Any]) -> Iterator[Labelled]:
    for number in np.unique(kinds).tolist():
        yield Kind(number).name.lower().replace("_", " "), kinds == number


def _by_nats(expected: NDArray[Any]) -> Iterator[Labelled]:
    """Whole nats."""
    classes = np.floor(expected).astype(int)
    for number in np.unique(classes).tolist():
        yield f"{number} to {number + 1}", classes == number
