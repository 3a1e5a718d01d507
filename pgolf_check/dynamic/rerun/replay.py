"""Reads the replay of a scoring ledger (rules/schemas/ledger.schema.json), which may be hostile, and checks the order that it tells.

A replay is a claim: it shows that what a run says of itself is consistent, and a re-run that writes the same one confirms it.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

SCHEMA = "pgolf-ledger/1"
MOST_BYTES, MOST_TOKENS = 64 << 20, 1 << 31
MOST_LINE, MOST_NATS = 1000, 1e15
CLOSE = 1e-9
"""Relative difference of sums that the order of additions may make."""
Act = tuple[str, int, int, int]
"""An event and its positions, first to before the last, and its state."""
Scored = NDArray[np.bool_]


class BrokenReplay(Exception):
    """Why a replay is none, or what in it breaks the order."""


@dataclass(frozen=True, slots=True)
class Replay:
    """The stream's length and SHA-256, the acts in their order, and the total."""

    tokens: int
    sha256: str
    acts: tuple[Act, ...]
    nats: float
    bytes: int

    @property
    def bpb(self) -> float:
        """Bits per byte of the total."""
        return self.nats / math.log(2.0) / self.bytes


def read_replay(content: bytes) -> Replay:
    """The replay, in which each position is scored once and learnt from only afterwards, and sums are right. Raises BrokenReplay."""
    if len(content) > MOST_BYTES:
        raise BrokenReplay(f"{len(content):,} bytes, more than {MOST_BYTES:,} are not read")
    lines = content.splitlines()
    if len(lines) < 2:
        raise BrokenReplay("it has no events")
    stream, total = _event(lines[0], 1), _event(lines[-1], len(lines))
    tokens = _whole(stream, "tokens", 1, 2, MOST_TOKENS)
    if stream["event"] != "stream" or stream.get("schema") != SCHEMA or total["event"] != "total":
        raise BrokenReplay(f"expected a stream of the schema {SCHEMA} in line 1 and the total in the last one")
    acts, nats, byte_count = _followed(lines[1:-1], tokens)
    told = _number(total, "nats", len(lines)), _whole(total, "bytes", len(lines), 1, 1 << 62)
    if not math.isclose(nats, told[0], rel_tol=CLOSE) or byte_count != told[1]:
        raise BrokenReplay(
            f"the scores sum to {nats:.6f} nats and {byte_count:,} bytes, the total says {told[0]:.6f} and {told[1]:,}"
        )
    return Replay(tokens, str(stream.get("sha256", "")), acts, *told)


def _followed(lines: list[bytes], tokens: int) -> tuple[tuple[Act, ...], float, int]:
    """(acts, nats, bytes) of the lines between the first and the last."""
    scored: Scored = np.zeros(tokens, dtype=np.bool_)
    acts: list[Act] = []
    nats: list[float] = []
    byte_count = 0
    for number, line in enumerate(lines, 2):
        event = _event(line, number)
        first = _whole(event, "first", number, 1, tokens - 1)
        end = _whole(event, "end", number, first + 1, tokens)
        kind = event["event"]
        _check(kind, scored[first:end], f"line {number}: positions {first} to {end}")
        if kind == "score":
            scored[first:end] = True
            nats.append(_number(event, "nats", number))
            byte_count += _whole(event, "bytes", number, 0, 1 << 40)
        acts.append((kind, first, end, _whole(event, "state", number, 0, 1 << 40)))
    if not scored[1:].all():
        raise BrokenReplay(f"position {1 + int(scored[1:].argmin())} is not scored")
    return tuple(acts), math.fsum(nats), byte_count


def _check(kind: str, scored: Scored, place: str) -> None:
    if kind == "score" and scored.any():
        raise BrokenReplay(f"{place} are scored a second time")
    if kind == "update" and not scored.all():
        raise BrokenReplay(f"{place} are learnt from before they are scored")
    if kind not in ("score", "update"):
        raise BrokenReplay(f"{place}: expected a score or an update")


def _event(line: bytes, number: int) -> dict[str, Any]:
    if len(line) > MOST_LINE:
        raise BrokenReplay(f"line {number} is longer than {MOST_LINE} bytes")
    try:
        event = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise BrokenReplay(f"line {number} is no JSON") from error
    if not isinstance(event, dict) or not isinstance(event.get("event"), str):
        raise BrokenReplay(f"line {number} is no event")
    return event


def _whole(event: dict[str, Any], name: str, number: int, least: int, most: int) -> int:
    value = event.get(name)
    if type(value) is not int or not least <= value <= most:
        raise BrokenReplay(f"line {number}: expected {name} to be a whole number from {least} to {most}")
    return value


def _number(event: dict[str, Any], name: str, number: int) -> float:
    value = event.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < MOST_NATS:
        raise BrokenReplay(f"line {number}: expected {name} to be a number from 0 to {MOST_NATS:g}")
    return float(value)
