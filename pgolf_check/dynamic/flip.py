"""The future flip: streams that differ only in positions scored later must get the same earlier scores. Takes numbers only.

Proof. A legal score of position p is a function of the artifact and of tokens scored no later than p. If two streams first differ, in
the order in which the run scores, at its n-th scoring, the run does the same up to there: the first n positions of its order
are the same, and so are the scores of the first n - 1. A difference there is a dependence on tokens that are scored later. "Later"
is meant in the order of the run: documents may be scored sorted by length. Two runs on one stream measure what nondeterminism does.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

MARGIN = 8.0
"""How many times the difference of equal runs a difference must be."""


@dataclass(frozen=True, slots=True)
class Change:
    """A position whose score, or whose place in the order, changed with tokens that are scored later."""

    position: int
    before: float
    after: float


def tolerance(first: Mapping[int, float], second: Mapping[int, float], floor: float = 0.0) -> float:
    """The difference of scores to allow for, from two runs on the same stream; at least `floor` nats."""
    return max(floor, MARGIN * max((_distance(first[p], second.get(p, math.nan)) for p in first), default=0.0))


def changes(
    order: Sequence[int],
    scores: Mapping[int, float],
    flipped_order: Sequence[int],
    flipped_scores: Mapping[int, float],
    flipped: Collection[int],
    allowed: float = 0.0,
) -> list[Change]:
    """What the tokens at the positions `flipped` changed before the first of them was scored, in the order of the run.

    `order` holds each scored position once, `scores` its loss in nats; `flipped_order` and `flipped_scores` are those of the run on
    the other stream. Raises ValueError if none of the flipped positions is scored.
    """
    touched = frozenset(flipped)
    end = next((n for n, position in enumerate(order) if position in touched), None)
    if end is None:
        raise ValueError("none of the flipped positions is scored, so that nothing comes before them")
    found = []
    for number, position in enumerate(order[:end]):
        before, after = scores[position], flipped_scores.get(position, math.nan)
        moved = number >= len(flipped_order) or flipped_order[number] != position
        if moved or not _distance(before, after) <= allowed:
            found.append(Change(position, before, after))
    return found


def _distance(first: float, second: float) -> float:
    """0 for equal infinities, infinite where only one is a number."""
    if first == second:
        return 0.0
    difference = abs(first - second)
    return math.inf if math.isnan(difference) else difference
