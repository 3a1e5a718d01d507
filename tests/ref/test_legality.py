"""The reference's evaluation holds on every stream what `pgolf_check.testing` asks; each illegal twin is caught by a minimal one."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import product

import pytest
import toy_scorers as toy
from hypothesis import given, settings
from streams import table
from toy_scorers import BOS, CHUNKED, LORA, PHASED, PLAIN, TILTED, K

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
from pgolf_ref.evaluate.bpb import ByteTable
from pgolf_ref.evaluate.ledger import LedgerError, ScoringLedger

Check = Callable[[Sequence[int]], None]
causal = partial(assert_causal, alphabet=K, context=1, tolerance=1e-9)
normalized = partial(assert_normalized, alphabet=K, context=1, excess=1e-12)
WAYS = {"plain": PLAIN, "chunks": CHUNKED, "adapters": LORA, "phases": PHASED, "tilt": TILTED, "documents": toy.BY_DOCUMENT}
FEW = settings(max_examples=12, deadline=None)

SCORERS: list[tuple[Scorer, Callable[..., None], str, int]] = [
    (toy.looks_ahead_by_one, normalized, "more than 1", 2),
    (toy.trains_before_the_score, normalized, "more than 1", 2),
    (toy.trains_before_the_score, causal, "must not know", 3),
    (toy.learns_one_token_too_many, normalized, "more than 1", 4),
    (toy.learns_a_piece_before_it_is_revealed, normalized, "more than 1", 3),
    (toy.reports_the_last_epoch, causal, "must not know", 3),
    (toy.keeps_the_minimum, normalized, "more than 1", 2),
    (toy.keeps_the_better_pass, causal, "must not know", 3),
    (toy.scores_again_with_what_it_has_learnt, causal, "must not know", 4),
    (toy.calibrates_on_the_stream, causal, "must not know", 3),
    (toy.warms_up_on_the_stream, causal, "must not know", 3),
    (toy.KeepsStateBetweenRuns(), causal, "state outlives a run", 4),
    (toy.tilts_without_normalising, normalized, "more than 1", 4),
    (toy.gates_the_tilt_by_the_target, normalized, "more than 1", 4),
    (toy.drops_the_tail, causal, "left out or counted twice", 2),
    (toy.counts_the_overlap_twice, causal, "left out or counted twice", 4),
]
RUNS: list[tuple[Callable[[Sequence[int], Recorder], None], Callable[..., None], str, int]] = [
    (toy.tells_of_an_update_first, assert_score_first, "updates the state on position 1 before it is scored", 4),
    (toy.tells_of_two_passes, assert_single_pass, "scores position 1 a second time", 2),
    (toy.tells_of_no_tail, assert_single_pass, "1 positions are never scored", 2),
]


def failure(check: Check, example: Sequence[int]) -> str:
    try:
        check(example)
    except AssertionError as error:
        return str(error)
    return ""


def shortest(check: Check, wanted: str, examples: Iterator[Sequence[int]]) -> Sequence[int]:
    """The first example that fails; examples come by length."""
    return next(example for example in examples if wanted in failure(check, example))


def by_length(longest: int = 6) -> Iterator[tuple[int, ...]]:
    for length in range(2, longest + 1):
        yield from product(range(K), repeat=length)


@pytest.mark.parametrize("way", WAYS)
@given(stream=streams(K, min_size=2, max_size=9))
@FEW
def test_every_way_to_score_is_causal_normalised_and_in_order(way: str, stream: list[int]) -> None:
    causal(toy.scorer(WAYS[way]), stream)
    normalized(toy.scorer(WAYS[way]), stream)
    assert_score_first(toy.recorded(WAYS[way]), stream, context=1)
    assert_single_pass(toy.recorded(WAYS[way]), stream, context=1)


@pytest.mark.parametrize("score", [toy.scorer(LORA), toy.documents_by_themselves], ids=["adapters", "documents"])
@given(found=documents(K, bos=BOS, max_documents=3, max_size=4))
@FEW
def test_documents_do_not_depend_on_each_other(score: Scorer, found: list[list[int]]) -> None:
    assert_documents_independent(score, found, context=1, tolerance=1e-9)


@pytest.mark.parametrize("way", WAYS)
def test_random_tokens_are_not_scored_below_their_entropy(way: str) -> None:
    assert not canary_evidence(toy.scorer(WAYS[way]), alphabet=K, length=400, context=1, seed=7).convicts()


@pytest.mark.parametrize(("score", "check", "wanted", "length"), SCORERS, ids=lambda value: getattr(value, "__name__", None))
def test_an_illegal_twin_is_caught_by_a_minimal_stream(score: Scorer, check: Callable[..., None], wanted: str, length: int) -> None:
    assert len(shortest(partial(check, score), wanted, by_length())) == length


@pytest.mark.parametrize(("tell", "check", "wanted", "length"), RUNS, ids=lambda value: getattr(value, "__name__", None))
def test_an_illegal_order_is_caught_by_a_minimal_stream(
    tell: Callable[[Sequence[int], Recorder], None], check: Callable[..., None], wanted: str, length: int
) -> None:
    assert len(shortest(partial(check, tell, context=1), wanted, by_length())) == length


@pytest.mark.parametrize(
    ("score", "sizes"),
    [(toy.asks_the_peers_adapters, [2, 3]), (toy.carries_the_adapter_on, [2, 2]), (toy.looks_into_the_document_before, [2, 2])],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_a_leak_between_documents_is_caught_by_two_short_ones(score: Scorer, sizes: list[int]) -> None:
    pairs = (
        [[BOS, *first], [BOS, *second]] for n, m in product((1, 2, 3), repeat=2) for first, second in product(bodies(n), bodies(m))
    )
    ordered = sorted(pairs, key=lambda pair: sum(map(len, pair)))
    caught = next(pair for pair in ordered if failure(lambda found: assert_documents_independent(score, found, context=1), pair))
    assert [len(document) for document in caught] == sizes


def bodies(length: int) -> list[tuple[int, ...]]:
    return list(product((0, 2), repeat=length))


def test_bytes_counted_twice_are_caught_by_a_minimal_stream() -> None:
    """Every way to divide a stream must add up to the bytes of the whole; a table with the space in the base does not."""
    right = table(K)
    wrong = ByteTable(right.base + right.leading_space, right.leading_space, right.boundary)

    def check(counts: ByteTable) -> Check:
        def compare(tokens: Sequence[int]) -> None:
            book = ScoringLedger(toy.array(tokens), counts, toy.WORLD)
            told = sum(token % 4 + (token % 3 == 0 and before >= 2) for before, token in zip(tokens, tokens[1:], strict=False))
            assert toy.run(CHUNKED, book).total().bytes == told, "the bytes are not those of the text"

        return compare

    assert len(shortest(check(wrong), "not those of the text", by_length())) == 2
    assert not any(failure(check(right), stream) for stream in by_length(4))


@pytest.mark.parametrize(
    "twin", [toy.reports_the_last_epoch, toy.scores_again_with_what_it_has_learnt], ids=lambda twin: twin.__name__
)
def test_the_ledger_itself_refuses_the_twins(twin: Scorer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(toy.Loose, "_expect", ScoringLedger._expect)
    monkeypatch.setattr(toy.Loose, "_share", ScoringLedger._share)
    monkeypatch.setattr(toy.Loose, "again", lambda self: None)
    with pytest.raises(LedgerError, match="is scored a second time"):
        twin([0, 2, 0, 2, 1])
