"""The future flip and the sum test, on scorers of a few lines."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgolf_check.dynamic.flip import changes, tolerance
from pgolf_check.dynamic.sum_test import exceeds_one, log_sum

STREAMS = st.lists(st.integers(0, 3), min_size=3, max_size=12)


def causal(stream: list[int]) -> dict[int, float]:
    """Each position by how often its token came before."""
    return {t: -math.log((1 + stream[:t].count(stream[t])) / (4 + t)) for t in range(len(stream))}


def looking_ahead(stream: list[int]) -> dict[int, float]:
    """Each position with the next token among what it knows."""
    return {t: causal(stream)[t] + 0.1 * (stream[t + 1] if t + 1 < len(stream) else 0) for t in range(len(stream))}


def flipped(stream: list[int], at: int) -> list[int]:
    return [*stream[:at], *((token + 1) % 4 for token in stream[at:])]


@given(STREAMS, st.data())
def test_a_causal_scorer_shows_no_change(stream: list[int], data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(stream) - 1))
    order = list(range(len(stream)))
    assert changes(order, causal(stream), order, causal(flipped(stream, at)), range(at, len(stream))) == []


@given(STREAMS, st.data())
def test_a_look_at_the_next_token_shows_at_the_position_before(stream: list[int], data: st.DataObject) -> None:
    at = data.draw(st.integers(1, len(stream) - 1))
    order = list(range(len(stream)))
    found = changes(order, looking_ahead(stream), order, looking_ahead(flipped(stream, at)), range(at, len(stream)))
    assert [change.position for change in found] == [at - 1]


def test_later_is_meant_in_the_order_of_the_run() -> None:
    scores = {0: 1.0, 1: 1.0, 2: 1.0}
    assert changes([2, 1, 0], scores, [2, 1, 0], {**scores, 0: 2.0, 1: 2.0}, {1}) == []
    assert [c.position for c in changes([2, 1, 0], scores, [2, 1, 0], {**scores, 2: 2.0}, {1})] == [2]


def test_an_order_that_later_tokens_decide_is_a_change() -> None:
    scores = {0: 1.0, 1: 1.0, 2: 1.0}
    assert [c.position for c in changes([0, 1, 2], scores, [1, 0, 2], scores, {2})] == [0, 1]


def test_runs_that_differ_by_themselves_set_what_is_allowed() -> None:
    first, second = {0: 1.0, 1: 2.0}, {0: 1.0 + 1e-6, 1: 2.0}
    assert tolerance(first, second) == pytest.approx(8e-6)
    assert tolerance(first, {0: 1.0}) == math.inf
    with pytest.raises(ValueError, match="none of the flipped"):
        changes([0], {0: 1.0}, [0], {0: 1.0}, {5})


@given(st.lists(st.floats(0.01, 5), min_size=1, max_size=40), st.integers(1, 40))
def test_any_part_of_a_distribution_sums_to_no_more_than_one(weights: list[float], part: int) -> None:
    losses = {v: -math.log(w / sum(weights)) for v, w in enumerate(weights)}
    assert not exceeds_one({v: losses[v] for v in list(losses)[:part]})
    assert math.exp(log_sum(losses)) == pytest.approx(1.0)


def test_a_lift_for_the_token_that_is_scored_shows() -> None:
    losses = {v: -math.log(0.7 / 16 + 0.3) for v in range(4)}
    assert exceeds_one(losses)
    assert exceeds_one({0: -1.0}) and not exceeds_one({0: 0.0})
    with pytest.raises(ValueError, match="must be numbers"):
        log_sum({0: math.nan})
