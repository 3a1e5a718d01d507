"""Where a traced run stated a loss of tokens that its parameters had learnt from before.

Invariant: a breach is told only if the stated loss is the mean of located losses, and in each of the ways in which it may be one at least FEWEST
of the counted losses come from parameters into which a step had carried the loss of the same position, or the lowest are counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pgolf_check.dynamic.trace.claims import Agreement, Counted, Statement, meant
from pgolf_check.dynamic.trace.read import Lookup, Positions, Record, Stack, Update
from pgolf_check.model import Event, EventKind, Location, Region, Step

STREAM = "validation"
FEWEST = 64
"""Positions that a breach is told for; fewer could be mistaken for others by their neighbours."""


@dataclass(frozen=True, slots=True)
class Traced:
    """A stated loss, a lookup that it counts, and the step before that which learnt from the same positions; None for chosen losses without.

    `repeated`: this place had looked the same positions up before that step; `restated`: an earlier stated loss counted them before
    the step, and others after it; `chosen`: the lowest of several losses are counted; `alone`: the step trained one parameter, and that was
    trained on nothing but validation tokens; `discarded`: no stated loss was computed with what the step trained.
    """

    report: Event
    score: Event
    update: Event | None
    positions: int
    repeated: bool
    restated: bool
    chosen: bool
    alone: bool
    discarded: bool = False


def confirmed(found: Iterable[Traced], again: Iterable[Traced]) -> tuple[Traced, ...]:
    """The breaches that another run tells, too: a loss that comes near a mean by chance does not do so on other tokens."""
    told = {_kind(each) for each in again}
    return tuple(each for each in found if _kind(each) in told)


def _kind(each: Traced) -> tuple[object, ...]:
    update = each.update.location if each.update is not None else None
    return each.score.location, update, each.repeated, each.restated, each.chosen, each.alone, each.discarded


def breaches(records: Sequence[Record], statements: Sequence[Statement], tokens: int, script: str) -> Iterator[Traced]:
    """One for each stated loss that has any; `script` stands for code that was run from a text."""
    earlier: list[Counted] = []
    for statement in statements:
        ways = _Ways(meant(records, statement, tokens))
        if ways.first is None or ways.last is None:
            continue
        if ways.seen:
            yield from _learnt(records, ways.last, earlier, script)
        elif ways.lowest:
            yield _chosen(records, ways.last, script)
        else:
            yield from _discarded(records, ways.first, earlier, script)
        earlier.append(ways.first)


class _Ways:
    """The first and the last of the ways in which a loss is a mean, and what all that may be meant have in common."""

    def __init__(self, ways: Iterable[Counted]) -> None:
        self.first: Counted | None = None
        self.last: Counted | None = None
        self.seen = self.lowest = True
        for way in ways:
            if way.agrees is not Agreement.NEAR:
                self.first, self.last = self.first or way, way
            self.seen = self.seen and _seen(way)
            self.lowest = self.lowest and _lowest(way)


def _seen(way: Counted) -> bool:
    return bool(np.count_nonzero(way.seen) >= FEWEST)


def _lowest(way: Counted) -> bool:
    return way.way.which == "lowest"


def _learnt(records: Sequence[Record], way: Counted, earlier: Sequence[Counted], script: str) -> Iterator[Traced]:
    """The breach by the lookup that counts most of the positions that had been seen."""
    number, positions = _most(way, way.seen)
    lookup = records[number]
    before = (each for each in records[:number] if isinstance(each, Update))
    update = next((each for each in before if np.isin(positions, each.positions).any()), None)
    if update is None or not isinstance(lookup, Lookup):
        return
    verb = "training" if update.training else "gradient"
    step = _event(EventKind.UPDATE, update.order, update.stack, np.intersect1d(positions, update.positions), script, text=verb)
    report, score = _stated(way, lookup, positions, script, (step,))
    yield Traced(
        report,
        score,
        step,
        int(np.count_nonzero(way.seen)),
        any(_same_before(each, lookup, update) for each in records[:number]),
        any(_around(records, each, update.order, positions) for each in earlier),
        _lowest(way),
        update.fresh and update.parameters == 1,
    )


def _chosen(records: Sequence[Record], way: Counted, script: str) -> Traced:
    number, positions = _most(way, way.lookups >= 0)
    lookup = records[number]
    assert isinstance(lookup, Lookup)
    report, score = _stated(way, lookup, positions, script, ())
    return Traced(report, score, None, int(np.count_nonzero(way.lookups >= 0)), False, False, True, False)


def _discarded(records: Sequence[Record], way: Counted, earlier: Sequence[Counted], script: str) -> Iterator[Traced]:
    """The first step that learns from positions which no loss stated before counts, and which are scored after it without what it trained."""
    orders = np.array([record.order for record in records])
    known = np.full(len(way.lookups), np.iinfo(np.int64).max)
    for each in (*earlier, way):
        scored = each.lookups >= 0
        known[scored] = np.minimum(known[scored], orders[each.lookups[scored]])
    unseen = (way.lookups >= 0) & ~way.seen
    for update in (record for record in records if isinstance(record, Update)):
        positions = update.positions[unseen[update.positions] & (known[update.positions] > update.order)]
        if len(positions) < FEWEST:
            continue
        lookup = records[int(way.lookups[positions[0]])]
        assert isinstance(lookup, Lookup)
        step = _event(EventKind.UPDATE, update.order, update.stack, positions, script, text="gradient")
        report, score = _stated(way, lookup, positions, script, ())
        yield Traced(report, score, step, len(positions), False, False, False, False, discarded=True)
        return


def _most(way: Counted, among: NDArray[np.bool_]) -> tuple[int, Positions]:
    """(the record that most of the positions are counted from, these positions)"""
    numbers, times = np.unique(way.lookups[among], return_counts=True)
    number = int(numbers[times.argmax()])
    return number, np.flatnonzero(among & (way.lookups == number))


def _stated(way: Counted, lookup: Lookup, positions: Positions, script: str, seen: tuple[Event, ...]) -> tuple[Event, Event]:
    """(the report, the score)"""
    printed = way.printed
    score = _event(EventKind.SCORE, lookup.order, lookup.stack, positions, script, seen=seen)
    report = _event(EventKind.REPORT, printed.order, printed.stack, positions, script, scores=(score,), text=printed.text)
    return report, score


def _same_before(record: Record, lookup: Lookup, update: Update) -> bool:
    """Whether the same place looked up, before the step, what the step learnt from."""
    same = isinstance(record, Lookup) and record.stack == lookup.stack and record.order < update.order
    return same and isinstance(record, Lookup) and bool(np.isin(record.positions, update.positions).any())


def _around(records: Sequence[Record], way: Counted, order: int, positions: Positions) -> bool:
    """Whether a stated loss counts these positions as they were before a step, and others as they were after it."""
    orders = np.array([record.order for record in records])[way.lookups[way.lookups >= 0]]
    own = way.lookups[positions]
    before = bool((own >= 0).any()) and all(records[each].order < order for each in np.unique(own[own >= 0]))
    return before and bool((orders > order).any()) and not way.seen[positions].any()


def places_of(stack: Stack, script: str) -> list[Location]:
    """The lines of a stack, the outermost first; `script` stands for code that was run from a text."""
    return [Location(script if path.startswith("<") else path, line) for path, line in stack] or [Location(script)]


def _event(
    kind: EventKind,
    order: int,
    stack: Stack,
    positions: NDArray[np.int64],
    script: str,
    *,
    seen: tuple[Event, ...] = (),
    scores: tuple[Event, ...] = (),
    text: str = "",
) -> Event:
    places = places_of(stack, script)
    return Event(
        kind,
        order,
        places[-1],
        "parameters" if kind is EventKind.UPDATE else "",
        (Region(STREAM, positions=frozenset(positions.tolist())),),
        seen,
        through=tuple(Step(place, "called here") for place in places[:-1]),
        scores=scores,
        text=text,
    )
