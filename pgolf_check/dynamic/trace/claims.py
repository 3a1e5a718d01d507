"""Which traced losses a printed loss is the mean of.

For every place that looks targets up, or reads losses that were looked up, and for all such places together, those since some earlier line are
tried: all of them, the first of each position, the last, or the lowest. A loss may come near a mean that it is not, since losses of random
tokens are much the same: whatever is told of one must hold in all ways that may be meant.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from pgolf_check.dynamic.trace.read import Lookup, Positions, Printed, Record, Stack, Total

FLOAT32_MEAN = 3e-6
"""The relative error of a mean that was taken in float32."""
FLOAT64_MEAN = 1e-9
MANY_DIGITS = 1e-7
"""Half a unit of the last of so many digits that hardly two means have the same."""
NEAR = 3e-4
"""Nats within which another mean is taken for one that may be meant: by so much can it change that some positions are counted twice."""
LEAST_SHARE = 0.5
"""The share of a stream that a printed loss is taken to be of."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where targets are looked up, or where looked-up losses are read; in any place if `stack` is None."""

    reads: bool
    stack: Stack | None

    def has(self, lookup: Lookup) -> bool:
        own = lookup.read if self.reads else lookup.stack
        return bool(lookup.read) is self.reads and self.stack in (None, own)


@dataclass(frozen=True, slots=True)
class Statement:
    """A line that states a mean loss in nats, to within half a unit of its last digit."""

    text: str
    loss: float
    half_a_digit: float

    @property
    def rounding(self) -> float:
        """By how much a mean that was taken in float32 and printed may differ from the one that is meant."""
        return self.half_a_digit + FLOAT32_MEAN * max(1.0, self.loss)

    def says_more_than(self, other: Statement) -> bool:
        """Whether it states the same loss in more digits."""
        return self.half_a_digit < other.half_a_digit and abs(self.loss - other.loss) <= 1.01 * other.half_a_digit


class Agreement(enum.IntEnum):
    """How near a mean comes to a stated one: near, the same but for what float32 takes off, the same in many digits, or, surest, it is what the
    run computed from these losses and no others.
    """

    NEAR = 0
    ROUNDED = 1
    IN_ALL_DIGITS = 2
    COMPUTED = 3


@dataclass(frozen=True, slots=True)
class Way:
    """Which losses are counted: those of a place, `lines` printed lines back at most, and which of several of one position; or those of the
    total that was read so many totals back.
    """

    place: Place
    which: str
    lines: int


TOTAL = "total"
LATEST = 8
"""How many totals before a line are tried."""


@dataclass(frozen=True, slots=True)
class Counted:
    """One way in which a printed loss may be a mean: the index of the counted lookup of each position, -1 if none, and whether that had
    seen its target.
    """

    way: Way
    printed: Printed
    lookups: NDArray[np.int64]
    seen: NDArray[np.bool_]
    agrees: Agreement


def meant(records: Sequence[Record], statement: Statement, tokens: int) -> Iterator[Counted]:
    """The ways that may be meant, if any is the stated mean: those that were computed or agree in all digits, or else all that are near."""
    best = max((way.agrees for way in counted(records, statement, tokens)), default=Agreement.NEAR)
    if best is not Agreement.NEAR:
        least = best if best >= Agreement.IN_ALL_DIGITS else Agreement.NEAR
        yield from (way for way in counted(records, statement, tokens) if way.agrees >= least)


def counted(records: Sequence[Record], statement: Statement, tokens: int) -> Iterator[Counted]:
    """All ways in which the last line with this text may state a mean of lookups before it; `lookups` index `records`."""
    before, printed = _until(records, statement)
    if printed is None:
        return
    for back, total in enumerate(_totals(before)):
        if _is_stated(total, before, statement):
            yield _of_total(total, back, before, printed, tokens)
    lookups = [record for record in before if isinstance(record, Lookup)]
    own = (Place(bool(record.read), record.read or record.stack) for record in lookups)
    for place in dict.fromkeys((Place(False, None), Place(True, None), *own)):
        for lines, sums in _since(before, place, tokens):
            for which, agrees in sums.near(statement):
                yield Counted(Way(place, which, lines), printed, *sums.counted(which), agrees)


def in_way(records: Sequence[Record], statement: Statement, tokens: int, way: Way) -> Counted | None:
    """What the last line with this text states if it is taken in this way, whatever the mean; None if there is nothing of it."""
    before, printed = _until(records, statement)
    if printed is None:
        return None
    if way.which == TOTAL:
        total = next((total for back, total in enumerate(_totals(before)) if back == way.lines), None)
        return _of_total(total, way.lines, before, printed, tokens) if total is not None else None
    found = next((sums for lines, sums in _since(before, way.place, tokens) if lines == way.lines), None)
    return Counted(way, printed, *found.counted(way.which), Agreement.NEAR) if found is not None else None


def _totals(before: Sequence[Record]) -> Iterator[Total]:
    """The latest totals before a line, the latest first."""
    return islice((record for record in reversed(before) if isinstance(record, Total)), LATEST)


def _is_stated(total: Total, before: Sequence[Record], statement: Statement) -> bool:
    """Whether a line states a total divided by the number of its losses, or a total that is their mean already."""
    if abs(total.value / total.count - statement.loss) <= statement.rounding:
        return True
    if abs(total.value - statement.loss) > statement.rounding:
        return False
    lookups = {record.order: record for record in before if isinstance(record, Lookup)}
    nats = [_nats_at(lookups[order], positions) for order, positions in total.parts if order in lookups]
    return bool(nats) and abs(float(np.concatenate(nats).mean()) - statement.loss) <= NEAR


def _nats_at(lookup: Lookup, positions: Positions) -> NDArray[np.float64]:
    order = np.argsort(lookup.positions, kind="stable")
    found = order[np.searchsorted(lookup.positions, positions, sorter=order).clip(max=max(len(order) - 1, 0))]
    nats: NDArray[np.float64] = lookup.nats[found[lookup.positions[found] == positions]]
    return nats


def _of_total(total: Total, back: int, before: Sequence[Record], printed: Printed, tokens: int) -> Counted:
    numbers = {record.order: number for number, record in enumerate(before) if isinstance(record, Lookup)}
    lookups = np.full(tokens, -1, dtype=np.int64)
    seen = np.zeros(tokens, dtype=bool)
    for order, positions in total.parts:
        lookup = before[numbers[order]] if order in numbers else None
        if isinstance(lookup, Lookup):
            lookups[positions] = numbers[order]
            seen[positions] |= np.isin(positions, lookup.positions[lookup.seen])
    return Counted(Way(Place(False, None), TOTAL, back), printed, lookups, seen, Agreement.COMPUTED)


def _until(records: Sequence[Record], statement: Statement) -> tuple[Sequence[Record], Printed | None]:
    """(the records before the last line with this text, that line if there is one)"""
    for number in reversed(range(len(records))):
        record = records[number]
        if isinstance(record, Printed) and record.text == statement.text:
            return records[:number], record
    return (), None


def _since(before: Sequence[Record], place: Place, tokens: int) -> Iterator[tuple[int, _Sums]]:
    """The lookups of one place since each line that was printed before some, the latest first: (lines back, all since then)."""
    sums = _Sums(tokens)
    lines, fresh = 0, False
    for number in range(len(before) - 1, -2, -1):
        record = before[number] if number >= 0 else None
        if isinstance(record, Lookup) and place.has(record):
            sums.add(number, record)
            fresh = True
        elif record is None or isinstance(record, Printed):
            if fresh:
                yield lines, sums
            lines, fresh = lines + 1, False


def _agreement(apart: float, statement: Statement) -> Agreement | None:
    if statement.half_a_digit <= MANY_DIGITS and apart <= statement.half_a_digit + FLOAT64_MEAN:
        return Agreement.IN_ALL_DIGITS
    if apart <= statement.rounding:
        return Agreement.ROUNDED
    return Agreement.NEAR if apart <= NEAR else None


class _Sums:
    """Lookups taken up from the last to the first: for each position its first, last and lowest loss, and the sum of all."""

    def __init__(self, tokens: int) -> None:
        self._nats = {way: np.zeros(tokens) for way in ("first", "last", "lowest")}
        self._at = {way: np.full(tokens, -1, dtype=np.int64) for way in self._nats}
        self._seen = {way: np.zeros(tokens, dtype=bool) for way in (*self._nats, "all")}
        self._total, self._count, self._tokens = 0.0, 0, tokens

    def add(self, number: int, lookup: Lookup) -> None:
        positions, nats, seen = lookup.positions[::-1], lookup.nats[::-1], lookup.seen[::-1]
        self._total += float(nats.sum())
        self._count += len(nats)
        self._seen["all"][positions[seen]] = True
        self._put("first", number, positions, nats, seen)
        later = self._at["last"][positions] < 0
        self._put("last", number, positions[later], nats[later], seen[later])
        lower = (self._at["lowest"][positions] < 0) | (nats < self._nats["lowest"][positions])
        self._put("lowest", number, positions[lower], nats[lower], seen[lower])

    def _put(self, way: str, number: int, positions: NDArray[np.int64], nats: NDArray[np.float64], seen: NDArray[np.bool_]) -> None:
        self._nats[way][positions], self._at[way][positions], self._seen[way][positions] = nats, number, seen

    def near(self, statement: Statement) -> list[tuple[str, Agreement]]:
        """The ways whose mean is near the stated one."""
        scored = self._at["first"] >= 0
        if np.count_nonzero(scored) < LEAST_SHARE * self._tokens:
            return []
        means = {way: float(nats[scored].mean()) for way, nats in self._nats.items()} | {"all": self._total / self._count}
        agreed = {way: _agreement(abs(mean - statement.loss), statement) for way, mean in means.items()}
        return [(way, agrees) for way, agrees in agreed.items() if agrees is not None]

    def counted(self, way: str) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """(the counted lookup of each position, whether that had seen its target)"""
        return self._at["first" if way == "all" else way].copy(), self._seen[way].copy()


def in_order(records: Sequence[Record], way: Counted) -> tuple[list[int], dict[int, float]]:
    """(the positions that a stated loss counts, in the order in which they were scored, their losses)"""
    order: list[int] = []
    nats: dict[int, float] = {}
    for number in np.unique(way.lookups[way.lookups >= 0]):
        lookup = records[number]
        assert isinstance(lookup, Lookup)
        for position, loss in zip(lookup.positions.tolist(), lookup.nats.tolist(), strict=True):
            if way.lookups[position] == number and position not in nats:
                order.append(position)
                nats[position] = loss
    return order, nats
