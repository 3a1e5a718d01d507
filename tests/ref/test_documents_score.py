"""Documents scored by themselves, one to a row or packed: each position once, in the context of its document alone."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from replays import read_replay
from streams import ledger, table
from toys import random_model, small

from pgolf_check.testing.strategies import documents as document_lists
from pgolf_ref.data.pieces import BOS
from pgolf_ref.data.shards import Tokens
from pgolf_ref.distributed import World
from pgolf_ref.evaluate.ledger import ScoringLedger
from pgolf_ref.evaluate.score import Scoring, evaluate
from pgolf_ref.evaluate.windows import documents, pack, plan_documents, plan_windows, split_into_chunks
from pgolf_ref.model.gpt import GPT

LAYOUTS = document_lists(40, bos=BOS, max_documents=6, max_size=14).map(lambda found: np.concatenate(found).astype(np.uint16))
STREAMS = st.one_of(
    LAYOUTS.filter(lambda stream: len(stream) > 1),
    st.lists(st.sampled_from([BOS, 5, 6, 7]), min_size=2, max_size=40).map(lambda tokens: np.array(tokens, dtype=np.uint16)),
)
SIZES = st.integers(1, 12).flatmap(lambda seq_len: st.tuples(st.just(seq_len), st.integers(1, seq_len)))
CLOSED = ("model.attention.documents=true", "model.embedding.isolate=true")


def document_of(stream: Tokens, position: int) -> int:
    """The first token that the prediction of a position may read: the last BOS before it, or the first token of all."""
    return max((place for place in range(position) if stream[place] == BOS), default=0)


def contexts(stream: Tokens, seq_len: int, stride: int) -> list[int]:
    """Where the context of each position begins, by the definition: that of a sliding window over its document alone."""
    starts = []
    for position in range(1, len(stream)):
        begin = document_of(stream, position)
        offset = position - begin
        steps = -(-(offset - seq_len) // stride) if offset > seq_len else 0
        starts.append(begin + steps * stride)
    return starts


@torch.no_grad()
def brute_force(model: GPT, stream: Tokens, seq_len: int, stride: int) -> list[float]:
    """Float64 losses, one position at a time, of the tokens of its context alone."""
    losses = []
    for position, start in enumerate(contexts(stream, seq_len, stride), start=1):
        given_tokens = torch.from_numpy(stream[start:position].astype(np.int64))[None]
        losses.append(-float(torch.log_softmax(model(given_tokens)[0, -1], -1)[int(stream[position])]))
    return losses


def scored(model: GPT, stream: Tokens, seq_len: int, stride: int, scoring: Scoring, chunk: int = 1000) -> ScoringLedger:
    book = ledger(stream)
    evaluate(model, book, split_into_chunks(plan_documents(stream, seq_len, stride), chunk), scoring, World.single())
    return book


@given(STREAMS)
def test_documents_are_the_positions_between_two_begins(stream: Tokens) -> None:
    found = documents(stream)
    assert [position for first, end in found for position in range(first, end)] == list(range(1, len(stream)))
    for first, end in found:
        assert {document_of(stream, position) for position in range(first, end)} == {first - 1}


@given(STREAMS, SIZES)
def test_every_position_is_scored_once_in_the_context_promised(stream: Tokens, sizes: tuple[int, int]) -> None:
    windows = plan_documents(stream, *sizes)
    assert [p for w in windows for p in range(w.first, w.end)] == list(range(1, len(stream)))
    expected = contexts(stream, *sizes)
    assert [w.start for w in windows for _ in range(w.first, w.end)] == expected


@given(STREAMS, SIZES, st.integers(1, 40))
def test_rows_hold_every_window_once_and_begin_documents_within(stream: Tokens, sizes: tuple[int, int], row_tokens: int) -> None:
    windows = plan_documents(stream, *sizes)
    rows = pack(windows, stream, row_tokens)
    assert [window for row in rows for window in row] == windows
    for row in rows:
        assert len(row) == 1 or sum(window.length for window in row) <= row_tokens
        assert all(stream[window.start] == BOS for window in row[1:])


@pytest.mark.parametrize("extra", [(), CLOSED, (*CLOSED, "model.embedding.smear=token", "model.embedding.hash.rows=64")])
@given(STREAMS, SIZES, st.integers(1, 5), st.integers(1, 40))
@settings(max_examples=20, deadline=None)
def test_losses_are_those_of_a_loop_over_positions(
    extra: tuple[str, ...], stream: Tokens, sizes: tuple[int, int], batch: int, chunk: int
) -> None:
    """For any division into batches and chunks."""
    model = random_model(small(*extra))
    book = scored(model, stream, *sizes, Scoring(batch), chunk)
    np.testing.assert_allclose(book.losses(), brute_force(model, stream, *sizes), rtol=1e-11, atol=1e-12)
    assert book.total().bytes == table().total_bytes(stream)
    assert book.total().nats == pytest.approx(book.losses().sum(), rel=1e-14)


@pytest.mark.parametrize("extra", [CLOSED, (*CLOSED, "model.embedding.smear=channel", "model.embedding.hash.rows=64")])
@given(STREAMS, SIZES, st.integers(1, 60))
@settings(max_examples=20, deadline=None)
def test_packed_rows_score_what_documents_score(
    extra: tuple[str, ...], stream: Tokens, sizes: tuple[int, int], row_tokens: int
) -> None:
    model = random_model(small(*extra))
    packed = scored(model, stream, *sizes, Scoring(1, row_tokens))
    np.testing.assert_allclose(packed.losses(), brute_force(model, stream, *sizes), rtol=1e-10, atol=1e-11)
    read_replay(packed.replay())


def test_a_stream_without_documents_is_one() -> None:
    stream = np.arange(5, 30, dtype=np.uint16)
    assert plan_documents(stream, 8, 3) == plan_windows(len(stream), 8, 3)
