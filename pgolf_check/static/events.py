"""The records of a finished abstract run as `Event`s, the form that rules read."""

from __future__ import annotations

from pgolf_check.model import Event, EventKind, Mixture, Region
from pgolf_check.static.records import (
    Best,
    Edge,
    Read,
    Reported,
    Score,
    Traced,
    Update,
    edges_of,
    mixed_of,
    scores_of,
)


class EventMaker:
    """Converts records to events, each record once."""

    def __init__(self) -> None:
        self._updates: dict[int, Event] = {}
        self._scores: dict[int, Event] = {}

    def update(self, record: Update) -> Event:
        made = self._updates.get(record.order)
        if made is None:
            made = Event(
                EventKind.UPDATE,
                record.order,
                record.location,
                state=record.state,
                regions=regions_of(record.reads),
                loop=record.loops,
                through=(*record.frames, *record.through),
                text=record.how,
                made=record.made,
                rows=record.rows,
                since=_places(record.edges, True),
                until=_places(record.edges, False),
                reads=tuple(sorted({r.location for r in record.reads})),
            )
            self._updates[record.order] = made
        return made

    def score(self, record: Score) -> Event:
        made = self._scores.get(record.order)
        if made is None:
            made = Event(
                EventKind.SCORE,
                record.order,
                record.location,
                regions=regions_of(record.reads),
                seen=tuple(self.update(u) for u in sorted(record.seen, key=lambda u: u.order)),
                loop=record.loops,
                guard=record.guard,
                mixtures=_traces(record.traced),
                through=record.frames,
                reads=tuple(sorted({r.location for r in record.reads})),
            )
            self._scores[record.order] = made
        return made

    def report(self, record: Reported) -> Event:
        return Event(
            EventKind.REPORT,
            record.order,
            record.location,
            loop=record.loops,
            guard=record.guard,
            scores=tuple(self.score(s) for s in sorted(scores_of(record.deps), key=lambda s: s.order)),
            best_of=tuple(sorted({d.location for d in record.deps if type(d) is Best})),
            mixtures=mixtures_of(record),
            since=_places(edges_of(record.deps), True),
            text="".join("{}" if p is None else p for p in record.parts),
        )


def _places(edges: frozenset[Edge], since: bool) -> frozenset[tuple[int, int]]:
    return frozenset(edge.place for edge in edges if edge.since is since)


def _traces(traced: frozenset[Traced]) -> tuple[Mixture, ...]:
    found = sorted(traced, key=lambda d: (d.location, d.trace, d.detail))
    return tuple(Mixture(d.trace.value, d.location, detail=d.detail) for d in found)


def mixtures_of(record: Reported) -> tuple[Mixture, ...]:
    found = sorted(mixed_of(record.deps), key=lambda d: (d.location, d.kind))
    return tuple(Mixture(d.kind, d.location, d.frames) for d in found)


def regions_of(reads: frozenset[Read]) -> tuple[Region, ...]:
    return tuple(sorted({r.region for r in reads}, key=lambda region: (region.stream, sorted(region.iterations))))
