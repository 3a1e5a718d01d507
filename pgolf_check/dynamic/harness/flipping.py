"""Runs a script again on a stream that differs in the tokens which it scored last: the losses before them must be the same.

What is compared are the losses that a stated one is the mean of, in the order of the run (see flip.py for the proof). A look at the token
behind the target changes a single loss, the last one before those tokens; one at the target itself none. Nothing is told before both streams
were run twice, so that what differs between equal runs is allowed for, and before a third stream has shown other losses than both at the same
positions: once in some thousand runs a target is taken for that of another position, but hardly at one position in all three.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pgolf_check.dynamic.flip import Change, changes, tolerance
from pgolf_check.dynamic.harness.tokenizer import FIRST as FIRST_PIECES
from pgolf_check.dynamic.harness.trial import Made, Runner, run_once, statements
from pgolf_check.dynamic.harness.workspace import VALIDATION
from pgolf_check.dynamic.shard import Tokens, fresh_seed
from pgolf_check.dynamic.trace.breaches import places_of
from pgolf_check.dynamic.trace.claims import Agreement, Counted, in_order, in_way, meant
from pgolf_check.dynamic.trace.read import Lookup
from pgolf_check.model import Location

FIRST = 0.6
"""The share of the scored positions that keep their tokens: those that were scored first."""
AROUND = 16
"""Positions before and after the place from which streams differ that are scored together with it, if there is such a place."""
LEAST_COMPARED = 0.25
"""The share of the positions before the flipped ones that a way must tell for it to show that nothing changed."""
LEAST_CHANGE = 1e-5
"""Nats by which a loss must differ."""


@dataclass(frozen=True, slots=True)
class Flipped:
    """What became of losses where tokens that are scored later were drawn anew: how many were compared, and those that changed.

    `score` is where they were looked up, `text` the line that states them.
    """

    compared: int
    changed: tuple[Change, ...]
    score: Location
    text: str


@dataclass(frozen=True, slots=True)
class _Scores:
    """The losses that one of the lines of a run may state the mean of: their positions in the order of the run, and their values."""

    made: Made
    number: int
    way: Counted
    order: list[int]
    nats: dict[int, float]


def flip(script: str, files: Mapping[str, bytes], made: Made, run: Runner) -> Flipped | None:
    """Run what was run with other tokens at the end; None if the losses of the runs cannot be told."""

    def again(shards: Mapping[str, Tokens]) -> Made:
        return run_once(script, files, made.configuration, run, shards)

    base = _base(made)
    if base is None:
        return None
    end = _boundary(base)
    first = again(_drawn_anew(made, base.order[end:]))
    other = _same_way(first, base)
    found = _compared(base, other, end, LEAST_CHANGE)
    if found and _unchanged_in_some_way(base, first, end):
        found = []
    if found:
        third = _same_way(again(_drawn_anew(made, base.order[end:])), base)
        equal = ((base, _same_way(again(made.shards), base)), (other, _same_way(again(first.shards), base)))
        allowed = max(_noise(*pair) for pair in equal)
        found = _in_all([_compared(a, b, end, allowed) for a, b in ((base, other), (base, third), (other, third))])
    if found is None:
        return None
    lookup = made.records[int(base.way.lookups[base.order[0]])]
    assert isinstance(lookup, Lookup)
    return Flipped(end, tuple(found), places_of(lookup.stack, script)[-1], base.way.printed.text)


def _unchanged_in_some_way(base: _Scores, other: Made, end: int) -> bool:
    """Whether the losses before the flipped positions are the same in one of the ways that may be meant by the stated loss."""
    flipped = frozenset(base.order[end:])
    for way in _ways(base.made, base.number):
        scores = _taken(base.made, base.number, way)
        before = next((place for place, position in enumerate(scores.order) if position in flipped), 0)
        if before >= LEAST_COMPARED * end and _compared(scores, _same_way(other, scores), before, LEAST_CHANGE) == []:
            return True
    return False


def _in_all(changed: Sequence[list[Change] | None]) -> list[Change]:
    """The changes of the first comparison at positions that all of them tell."""
    positions = [{change.position for change in each or ()} for each in changed]
    return [change for change in changed[0] or () if change.position in set.intersection(*positions)]


def _boundary(base: _Scores) -> int:
    """A place in the order of the run around which the positions of one row are scored together."""
    wanted = int(FIRST * len(base.order))
    for end in range(wanted, len(base.order) - AROUND):
        near = base.order[end - AROUND : end + AROUND]
        if near[-1] - near[0] == len(near) - 1 and len(set(base.way.lookups[near].tolist())) == 1:
            return end
    return wanted


def _noise(first: _Scores | None, second: _Scores | None) -> float:
    """The difference between equal runs; infinite if one of them cannot be told."""
    return tolerance(first.nats, second.nats, LEAST_CHANGE) if first is not None and second is not None else math.inf


def _base(made: Made) -> _Scores | None:
    """Of the last loss that is the mean of located ones, in the first way in which it is."""
    for number in reversed(range(len(statements(made.ended.output)))):
        for way in _ways(made, number):
            if way.agrees is not Agreement.NEAR:
                return _taken(made, number, way)
    return None


def _ways(made: Made, number: int) -> Iterator[Counted]:
    """The ways that may be meant by a stated loss, without those that choose by the losses."""
    statement = statements(made.ended.output)[number]
    for way in meant(made.records, statement, made.configuration.layout.tokens):
        if way.way.which != "lowest":
            yield way


def _taken(made: Made, number: int, way: Counted) -> _Scores:
    return _Scores(made, number, way, *in_order(made.records, way))


def _same_way(made: Made, base: _Scores) -> _Scores | None:
    """The losses of another run that this states in the same way."""
    stated = statements(made.ended.output)
    if base.number >= len(stated):
        return None
    way = in_way(made.records, stated[base.number], made.configuration.layout.tokens, base.way.way)
    return _taken(made, base.number, way) if way is not None else None


def _drawn_anew(made: Made, flipped: Sequence[int]) -> dict[str, Tokens]:
    """The shards with other random words at some positions of the validation split.

    Control pieces stay where they are, and none is added: where documents begin and end may decide in which rows they are scored.
    """
    tokens = made.shards[VALIDATION].copy()
    places = np.array(flipped)
    words = tokens[tokens >= len(FIRST_PIECES)]
    anew = np.random.default_rng(fresh_seed()).choice(words, len(places))
    tokens[places] = np.where(tokens[places] >= len(FIRST_PIECES), anew, tokens[places])
    return {**made.shards, VALIDATION: tokens}


def _compared(base: _Scores | None, other: _Scores | None, end: int, allowed: float) -> list[Change] | None:
    """The changes among the positions before `end` that both runs tell; None if one of them tells none."""
    if base is None or other is None:
        return None
    common = base.nats.keys() & other.nats.keys()
    orders = [[position for position in each.order if position in common] for each in (base, other)]
    flipped = common.intersection(base.order[end:])
    return changes(orders[0], base.nats, orders[1], other.nats, flipped, allowed) if flipped else None
