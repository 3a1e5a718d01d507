"""The legal scorer passes on every stream; each illegal twin is caught, with an example that no shorter stream gives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import product

import adaptive
import pytest
from adaptive import BOS, K
from hypothesis import HealthCheck, find, given, settings

from pgolf_check.testing import (
    Recorder,
    Scorer,
    assert_causal,
    assert_documents_independent,
    assert_normalized,
    assert_score_first,
    assert_single_pass,
    canary_evidence,
)
from pgolf_check.testing.strategies import documents, streams

Check = Callable[[Sequence[int]], None]
SEARCH = settings(max_examples=300, database=None, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
causal = partial(assert_causal, alphabet=K)
normalized = partial(assert_normalized, alphabet=K)
BATCHES = documents(K, bos=BOS, max_documents=3, max_size=2)

SCORERS: list[tuple[Scorer, Callable[[Scorer, Sequence[int]], None], str]] = [
    (adaptive.looks_ahead_by_one, causal, "must not know"),
    (adaptive.updates_before_the_score, causal, "must not know"),
    (adaptive.updates_before_the_score, normalized, "more than 1"),
    (adaptive.reports_the_last_epoch, causal, "must not know"),
    (adaptive.takes_the_minimum_of_two_passes, causal, "must not know"),
    (adaptive.takes_the_better_pass, causal, "must not know"),
    (adaptive.calibrates_on_the_stream, causal, "must not know"),
    (adaptive.warms_up_on_the_stream, causal, "must not know"),
    (adaptive.KeepsStateBetweenRuns(), causal, "state outlives a run"),
    (adaptive.tilts_without_normalising, normalized, "more than 1"),
    (adaptive.gates_by_the_target, normalized, "more than 1"),
    (adaptive.looks_up_with_the_target, normalized, "more than 1"),
    (adaptive.trains_on_its_own_target, normalized, "more than 1"),
    (adaptive.drops_the_tail, causal, "left out or counted twice"),
    (adaptive.counts_the_overlap_twice, causal, "left out or counted twice"),
    (adaptive.hides_the_first_token, normalized, "not a number"),
]
RUNS: list[tuple[Callable[[Sequence[int], Recorder], None], Callable[..., None], str]] = [
    (adaptive.run_update_first, assert_score_first, "step 0 updates the state on position 0 before it is scored"),
    (adaptive.run_update_on_the_next_chunk, assert_score_first, "updates the state on position 2 before it is scored"),
    (adaptive.run_two_passes, assert_single_pass, "step 2 scores position 0 a second time"),
    (adaptive.run_overlapping, assert_single_pass, "scores position 1 a second time"),
    (adaptive.run_without_tail, assert_single_pass, "1 positions are never scored, the first is 0"),
    (adaptive.run_past_the_end, assert_single_pass, "names position 1, which is not in the stream"),
]


def message(check: Check, example: Sequence[int]) -> str:
    """What the assertion says, or nothing."""
    try:
        check(example)
    except AssertionError as error:
        return str(error)
    return ""


def shortest_failure(check: Check) -> int:
    """By brute force."""
    return next(n for n in range(1, 6) if any(message(check, stream) for stream in product(range(K), repeat=n)))


@pytest.mark.parametrize("mutant, check, words", SCORERS + RUNS)
def test_each_mutant_is_caught_with_a_minimal_example(
    mutant: Callable[..., object], check: Callable[..., None], words: str
) -> None:
    on_stream = partial(check, mutant)
    example = find(streams(K, max_size=8), lambda stream: bool(message(on_stream, stream)), settings=SEARCH)
    assert len(example) == shortest_failure(on_stream)
    assert words in message(on_stream, example)
    assert f"tokens={example}" in message(on_stream, example)


def test_an_order_chosen_from_the_stream_is_caught_where_no_token_can_be_left_out() -> None:
    """Shrinking leaves out tokens one by one: here a shorter example exists that it cannot reach."""
    check = partial(causal, adaptive.scores_rare_tokens_last)
    example = find(streams(K, max_size=8), lambda stream: bool(message(check, stream)), settings=SEARCH)
    assert "must not know" in message(check, example)
    assert not any(message(check, [*example[:n], *example[n + 1 :]]) for n in range(len(example)))


@given(streams(K))
def test_the_legal_scorer_passes(tokens: list[int]) -> None:
    causal(adaptive.legal, tokens)
    normalized(adaptive.legal, tokens)
    assert_score_first(adaptive.run_legal, tokens)
    assert_single_pass(adaptive.run_legal, tokens)


@pytest.mark.parametrize("scorer", [adaptive.legal, adaptive.adapts_on_a_peer])
def test_state_that_crosses_documents_is_caught_with_the_smallest_batch(scorer: Scorer) -> None:
    check = partial(assert_documents_independent, scorer)
    batch = find(BATCHES, lambda each: bool(message(check, each)), settings=SEARCH)
    assert [len(document) for document in batch] == [2, 2]
    assert "whose state it must not share" in message(check, batch)


@given(BATCHES)
def test_a_scorer_that_starts_each_document_anew_passes(batch: list[list[int]]) -> None:
    assert_documents_independent(adaptive.resets_at_documents, batch)


@pytest.mark.parametrize("seed", range(5))
def test_the_canary_convicts_leaks_and_no_legal_scorer(seed: int) -> None:
    canary = partial(canary_evidence, alphabet=K, length=600, seed=seed)
    assert not canary(adaptive.legal).convicts()
    assert canary(adaptive.looks_up_with_the_target).convicts()
    assert canary(adaptive.tilts_without_normalising).convicts()


def test_the_canary_draws_its_own_stream() -> None:
    drawn: list[tuple[int, ...]] = []

    def score(tokens: Sequence[int]) -> list[float]:
        drawn.append(tuple(tokens))
        return adaptive.legal(tokens)

    canary_evidence(score, alphabet=K, length=64)
    canary_evidence(score, alphabet=K, length=64)
    assert drawn[0] != drawn[1] and set(drawn[0]) <= set(range(K))


def test_context_is_not_scored() -> None:
    def score(tokens: Sequence[int]) -> list[float]:
        return adaptive.legal(tokens)[1:]

    assert_causal(score, [0, 1, 2, 1], alphabet=K, context=1)
    assert_normalized(score, [0, 1, 2, 1], alphabet=K, context=1)
    assert canary_evidence(score, alphabet=K, length=64, context=1, seed=0).log_e < 0
    with pytest.raises(AssertionError, match="3 losses for 4"):
        assert_causal(score, [0, 1, 2, 1], alphabet=K)


def test_tokens_outside_the_alphabet_are_an_error_of_the_caller() -> None:
    with pytest.raises(ValueError, match=r"range\(3\)"):
        causal(adaptive.legal, [0, 3])
