"""Runs a script again with other tokens in every second document: where attention keeps documents apart, nothing of one may reach the next.

Three things must be seen, in one way of taking one of the stated losses. With all but the last tokens of these documents drawn anew, losses at their
ends change, so that attention reads what lies before; those of the documents between do not, so that it stops at their beginnings. With the
last tokens drawn anew, losses of the documents between change: something else reaches over. Losses whose attention does not stop there, or of
a model that adapts to what it scored, show nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pgolf_check.dynamic.harness.flipping import LEAST_CHANGE, noise
from pgolf_check.dynamic.harness.restated import Scores, drawn_anew, same_way, stated
from pgolf_check.dynamic.harness.trial import Made, Runner, run_once
from pgolf_check.dynamic.harness.workspace import VALIDATION
from pgolf_check.dynamic.shard import Tokens
from pgolf_check.model import Location

LAST, END = 8, 3
"""Tokens at the end of a document that are drawn anew apart from the others, and those of them whose losses must depend on the others."""
FEWEST = 4
"""Documents between others that must be compared."""


@dataclass(frozen=True, slots=True)
class Crossed:
    """The documents whose losses depend on the end of the one before, of those compared; where they are scored, the line that states them."""

    documents: int
    compared: int
    score: Location
    text: str


def cross(script: str, files: Mapping[str, bytes], made: Made, run: Runner) -> Crossed | None:
    """Run what was run with other tokens in every second document; None if documents are not kept apart, or that cannot be told."""

    def again(shards: Mapping[str, Tokens]) -> Made:
        return run_once(script, files, made.configuration, run, shards)

    changed, between = _documents(made)
    losses = tuple(stated(made)) if len(between) >= FEWEST else ()
    if not losses:
        return None
    earlier = again(drawn_anew(made, [place for each in changed for place in each[:-LAST]]))
    base = next((each for each in losses if _stops(each, same_way(earlier, each), changed, between)), None)
    if base is None:
        return None
    last = again(drawn_anew(made, [place for each in changed for place in each[-LAST:]]))
    found = _differ(base, same_way(last, base), between, LEAST_CHANGE)
    if found and noise(base, same_way(again(made.shards), base)) > LEAST_CHANGE:
        return None
    return Crossed(found, len(between), base.place(script), base.way.printed.text)


def _stops(base: Scores, other: Scores | None, changed: Sequence[range], between: Sequence[range]) -> bool:
    """Whether the losses at the ends of the changed documents are others, and those of the documents between are not."""
    return bool(_differ(base, other, (each[-END:] for each in changed), LEAST_CHANGE)) and not _differ(base, other, between, 0.0)


def _documents(made: Made) -> tuple[list[range], list[range]]:
    """The places of the tokens of every second document that is long enough, and those of the documents behind one of these."""
    tokens = made.shards[VALIDATION]
    begins = [*np.flatnonzero(tokens == made.configuration.layout.bos).tolist(), len(tokens)]
    documents = [range(first + 1, end) for first, end in zip(begins, begins[1:], strict=False)]
    pairs = [
        (one, other) for one, other in zip(documents[::2], documents[1::2], strict=False) if len(one) > 2 * LAST and len(other) > 0
    ]
    return [one for one, _ in pairs], [other for _, other in pairs]


def _differ(base: Scores, other: Scores | None, documents: Iterable[range], allowed: float) -> int:
    """How many documents have a loss that differs between two runs."""
    if other is None:
        return 0
    common = base.nats.keys() & other.nats.keys()
    return sum(any(abs(base.nats[at] - other.nats[at]) > allowed for at in each if at in common) for each in documents)
