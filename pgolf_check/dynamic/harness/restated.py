"""The losses that a run states, one by one, those that another run states in the same way, and shards that differ in some words.

A stated loss may be the mean of located losses in several ways (see trace/claims.py); ways that choose by the losses are left out, since other
tokens change what they choose.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from pgolf_check.dynamic.harness.tokenizer import FIRST
from pgolf_check.dynamic.harness.trial import Made
from pgolf_check.dynamic.harness.workspace import VALIDATION
from pgolf_check.dynamic.shard import Tokens, fresh_seed
from pgolf_check.dynamic.trace.breaches import places_of
from pgolf_check.dynamic.trace.claims import Agreement, Counted, in_order, in_way, meant
from pgolf_check.dynamic.trace.read import Lookup
from pgolf_check.model import Location


@dataclass(frozen=True, slots=True)
class Scores:
    """The losses that one of the lines of a run may state the mean of: their positions in the order of the run, and their values."""

    made: Made
    number: int
    way: Counted
    order: list[int]
    nats: dict[int, float]

    def place(self, script: str) -> Location:
        """Where the first of them was looked up."""
        lookup = self.made.records[int(self.way.lookups[self.order[0]])]
        assert isinstance(lookup, Lookup)
        return places_of(lookup.stack, script)[-1]


def stated(made: Made) -> Iterator[Scores]:
    """Of every loss that is the mean of located ones, the last one first, in the first way in which it is."""
    for number in reversed(range(len(made.statements))):
        for way in ways_meant(made, number):
            if way.agrees is not Agreement.NEAR:
                yield taken(made, number, way)
                break


def ways_meant(made: Made, number: int) -> Iterator[Counted]:
    """The ways that may be meant by a stated loss, without those that choose by the losses."""
    for way in meant(made.records, made.statements[number], made.configuration.layout.tokens):
        if way.way.which != "lowest":
            yield way


def taken(made: Made, number: int, way: Counted) -> Scores:
    """The losses of a run that one of its lines states in one way."""
    return Scores(made, number, way, *in_order(made.records, way))


def same_way(made: Made, base: Scores) -> Scores | None:
    """The losses of another run that this states in the same way."""
    if base.number >= len(made.statements):
        return None
    way = in_way(made.records, made.statements[base.number], made.configuration.layout.tokens, base.way.way)
    return taken(made, base.number, way) if way is not None else None


def drawn_anew(made: Made, flipped: Sequence[int]) -> dict[str, Tokens]:
    """The shards with other random words at some positions of the validation split.

    Control pieces stay where they are, and none is added: where documents begin and end may decide in which rows they are scored.
    """
    tokens = made.shards[VALIDATION].copy()
    places = np.array(flipped)
    words = tokens[tokens >= len(FIRST)]
    anew = np.random.default_rng(fresh_seed()).choice(words, len(places))
    tokens[places] = np.where(tokens[places] >= len(FIRST), anew, tokens[places])
    return {**made.shards, VALIDATION: tokens}
