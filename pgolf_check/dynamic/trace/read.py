"""The lines of a trace as records: anything malformed is left out, since the audited process could write into the file."""

from __future__ import annotations

import base64
import binascii
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Positions = NDArray[np.int64]
Stack = tuple[tuple[str, int], ...]
MOST_RECORDS, MOST_FRAMES = 200_000, 16
MOST_TIMES = 64
"""How often a record may hold every position of a stream."""


@dataclass(frozen=True, slots=True)
class Lookup:
    """Losses in nats of targets at positions of the stream; `seen` says which of them had been learnt from by what scored them.

    `stack` is where they were looked up, and `read` where a part of them was read without a gradient; empty for all that were looked up.
    """

    order: int
    stack: Stack
    read: Stack
    positions: Positions
    nats: NDArray[np.float64]
    seen: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Update:
    """A write to parameters that carried the losses of positions into them.

    `parameters`: how many the backward pass reached; `fresh`: validation tokens were the first that they were trained on; `training`: the same
    lines train on other tokens, too, or nothing has trained on such before.
    """

    order: int
    stack: Stack
    positions: Positions
    parameters: int
    fresh: bool
    training: bool


@dataclass(frozen=True, slots=True)
class Printed:
    """A line of output that speaks of a score."""

    order: int
    stack: Stack
    text: str


@dataclass(frozen=True, slots=True)
class Total:
    """A number that was computed from `count` losses: of lookups, by their order, these positions; unknown ones are left out."""

    order: int
    stack: Stack
    value: float
    count: int
    parts: tuple[tuple[int, Positions], ...]


Record = Lookup | Update | Printed | Total


def read_trace(text: bytes, tokens: int) -> tuple[Record, ...]:
    """The records in their order, of a stream of so many tokens."""
    return tuple(_records(text, tokens))


def _records(text: bytes, tokens: int) -> Iterator[Record]:
    for number, line in enumerate(text.split(b"\n")):
        if number >= MOST_RECORDS:
            return
        try:
            yield _record(json.loads(line), tokens)
        except (ValueError, KeyError, TypeError, RecursionError, binascii.Error):
            continue


def _record(given: Any, tokens: int) -> Record:
    order = _integer(given["order"])
    stack = _stack(given["stack"])
    if given["kind"] == "print":
        return Printed(order, stack, str(given["text"]).strip())
    if given["kind"] == "total":
        return _total(order, stack, given, tokens)
    positions = _positions(given["positions"], tokens)
    if given["kind"] == "update":
        return Update(order, stack, positions, _integer(given["parameters"]), bool(given["fresh"]), bool(given["training"]))
    if given["kind"] != "score":
        raise ValueError("an unknown kind")
    nats = np.frombuffer(base64.b64decode(given["nats"], validate=True), dtype="<f4").astype(np.float64)
    if nats.shape != positions.shape or not np.isfinite(nats).all():
        raise ValueError("losses that are no numbers, or not one for each position")
    place = _stack(given["lookup"])
    return Lookup(
        order, place, stack if given["part"] is True else (), positions, nats, np.isin(positions, _positions(given["seen"], tokens))
    )


def _total(order: int, stack: Stack, given: Any, tokens: int) -> Total:
    value, count = given["value"], _integer(given["count"])
    parts = tuple((_integer(lookup), _positions(ranges, tokens)) for lookup, ranges in given["parts"])
    if not isinstance(value, float) or not math.isfinite(value) or count < max(1, sum(len(positions) for _, positions in parts)):
        raise ValueError("no total, or one of more losses than it counts")
    if count > MOST_TIMES * tokens:
        raise ValueError("more losses than a run computes")
    return Total(order, stack, value, count, parts)


def _stack(given: Any) -> Stack:
    return tuple((str(path)[:500], _integer(line)) for path, line in given[:MOST_FRAMES])


def _integer(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 1 << 53:
        raise ValueError("no count")
    return value


def _positions(ranges: Any, tokens: int) -> Positions:
    """[first, end) ranges, in their order. Raises ValueError for more positions than a lookup may hold, or outside of the stream."""
    parts = []
    room = MOST_TIMES * tokens
    for first, end in ranges:
        if not 0 <= _integer(first) < _integer(end) <= tokens or end - first > room:
            raise ValueError("positions outside of the stream")
        room -= end - first
        parts.append(np.arange(first, end))
    return np.concatenate(parts) if parts else np.zeros(0, dtype=np.int64)
