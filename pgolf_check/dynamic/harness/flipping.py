"""Runs a script again on a stream that differs in the tokens which it scored last: the losses before them must be the same.

What is compared are the losses that a stated one is the mean of, in the order of the run (see flip.py for the proof). A look at the token
behind the target changes a single loss, the last one before those tokens; one at the target itself none. Nothing is told before both streams
were run twice, so that what differs between equal runs is allowed for, and before a third stream has shown other losses than both at the same
positions: once in some thousand runs a target is taken for that of another position, but hardly at one position in all three.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pgolf_check.dynamic.flip import Change, changes, tolerance
from pgolf_check.dynamic.harness.restated import Scores, drawn_anew, same_way, stated, taken, ways_meant
from pgolf_check.dynamic.harness.trial import Made, Runner, run_once
from pgolf_check.dynamic.shard import Tokens
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


def flip(script: str, files: Mapping[str, bytes], made: Made, run: Runner) -> Flipped | None:
    """Run what was run with other tokens at the end; None if the losses of the runs cannot be told."""

    def again(shards: Mapping[str, Tokens]) -> Made:
        return run_once(script, files, made.configuration, run, shards)

    base = next(stated(made), None)
    if base is None:
        return None
    end = _boundary(base)
    first = again(drawn_anew(made, base.order[end:]))
    other = same_way(first, base)
    found = _compared(base, other, end, LEAST_CHANGE)
    if found and _unchanged_in_some_way(base, first, end):
        found = []
    if found:
        third = same_way(again(drawn_anew(made, base.order[end:])), base)
        equal = ((base, same_way(again(made.shards), base)), (other, same_way(again(first.shards), base)))
        allowed = max(noise(*pair) for pair in equal)
        found = _in_all([_compared(a, b, end, allowed) for a, b in ((base, other), (base, third), (other, third))])
    if found is None:
        return None
    return Flipped(end, tuple(found), base.place(script), base.way.printed.text)


def _unchanged_in_some_way(base: Scores, other: Made, end: int) -> bool:
    """Whether the losses before the flipped positions are the same in one of the ways that may be meant by the stated loss."""
    flipped = frozenset(base.order[end:])
    for way in ways_meant(base.made, base.number):
        scores = taken(base.made, base.number, way)
        before = next((place for place, position in enumerate(scores.order) if position in flipped), 0)
        if before >= LEAST_COMPARED * end and _compared(scores, same_way(other, scores), before, LEAST_CHANGE) == []:
            return True
    return False


def _in_all(changed: Sequence[list[Change] | None]) -> list[Change]:
    """The changes of the first comparison at positions that all of them tell."""
    positions = [{change.position for change in each or ()} for each in changed]
    return [change for change in changed[0] or () if change.position in set.intersection(*positions)]


def _boundary(base: Scores) -> int:
    """A place in the order of the run around which the positions of one row are scored together."""
    wanted = int(FIRST * len(base.order))
    for end in range(wanted, len(base.order) - AROUND):
        near = base.order[end - AROUND : end + AROUND]
        if near[-1] - near[0] == len(near) - 1 and len(set(base.way.lookups[near].tolist())) == 1:
            return end
    return wanted


def noise(first: Scores | None, second: Scores | None) -> float:
    """The difference between equal runs; infinite if one of them cannot be told."""
    return tolerance(first.nats, second.nats, LEAST_CHANGE) if first is not None and second is not None else math.inf


def _compared(base: Scores | None, other: Scores | None, end: int, allowed: float) -> list[Change] | None:
    """The changes among the positions before `end` that both runs tell; None if one of them tells none."""
    if base is None or other is None:
        return None
    common = base.nats.keys() & other.nats.keys()
    orders = [[position for position in each.order if position in common] for each in (base, other)]
    flipped = common.intersection(base.order[end:])
    return changes(orders[0], base.nats, orders[1], other.nats, flipped, allowed) if flipped else None
