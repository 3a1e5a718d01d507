"""The ledger refuses every order of events but commit, reveal, agree, learn."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from jsonschema import Draft202012Validator
from streams import Bigram, ledger, stream, table

from pgolf_ref.distributed import World
from pgolf_ref.evaluate.ledger import Commitment, LedgerError, ScoringLedger
from pgolf_ref.evaluate.score import Scoring, score_chunk
from pgolf_ref.evaluate.windows import plan_windows

SCHEMA = Path(__file__).parents[2] / "rules" / "schemas" / "ledger.schema.json"


def logits(count: int) -> torch.Tensor:
    return torch.randn(count, 40, generator=torch.Generator().manual_seed(count), dtype=torch.float64)


def score(book: ScoringLedger, first: int, end: int) -> None:
    book.reveal(book.commit(first, end, logits(end - first)))


def test_the_score_is_that_of_the_revealed_targets() -> None:
    tokens = stream(9)
    book = ledger(tokens)
    for first, end in ((1, 4), (4, 9)):
        score(book, first, end)
    book.agree(1, 9)
    log_p = torch.cat([torch.log_softmax(logits(n), -1) for n in (3, 5)])
    nats = -sum(float(log_p[i, int(tokens[i + 1])]) for i in range(8))
    total = book.total()
    assert total.nats == pytest.approx(nats, abs=1e-12)
    assert (total.tokens, total.bytes) == (8, table().total_bytes(tokens))
    assert total.loss == total.nats / 8 and total.bpb == pytest.approx(total.nats / np.log(2) / total.bytes)


def test_a_committed_distribution_does_not_follow_its_logits() -> None:
    """Changing the logits after the commitment is too late."""
    first, second = ledger(stream(5)), ledger(stream(5))
    for book, change in ((first, 0.0), (second, 9.0)):
        given = logits(4)
        commitment = book.commit(1, 5, given)
        given[:, 3] += change
        book.reveal(commitment)
        book.agree(1, 5)
    assert first.total() == second.total()


def test_nothing_is_scored_twice() -> None:
    book = ledger(stream(9))
    score(book, 1, 5)
    for first, end in ((1, 5), (4, 6)):
        with pytest.raises(LedgerError, match="is scored a second time"):
            book.commit(first, end, logits(end - first))
    book.commit(5, 9, logits(4))
    with pytest.raises(LedgerError, match="position 5 is scored a second time"):
        book.commit(5, 9, logits(4))


def test_nothing_is_revealed_without_or_after_its_commitment() -> None:
    book = ledger(stream(9))
    forged = Commitment(((1, 5),), torch.log_softmax(logits(4), -1))
    with pytest.raises(LedgerError, match="position 1 has no commitment"):
        book.reveal(forged)
    commitment = book.commit(1, 5, logits(4))
    book.reveal(commitment)
    with pytest.raises(LedgerError, match="has no commitment"):
        book.reveal(commitment)


@pytest.mark.parametrize("shape", [(3, 40), (4, 39), (4, 41), (4, 1), (160,)])
def test_a_distribution_must_be_over_the_whole_vocabulary(shape: tuple[int, ...]) -> None:
    with pytest.raises(LedgerError, match="logits of shape"):
        ledger(stream(9)).commit(1, 5, torch.zeros(shape))


@pytest.mark.parametrize(("first", "end"), [(0, 3), (3, 3), (5, 4), (7, 10), (-2, 2)])
def test_positions_outside_the_stream_are_refused(first: int, end: int) -> None:
    with pytest.raises(LedgerError, match="do not lie in 1 to 9"):
        ledger(stream(9)).commit(first, end, logits(max(end - first, 0)))


def test_only_what_is_scored_may_be_learnt_from() -> None:
    tokens = stream(9)
    book = ledger(tokens)
    for first, end in ((1, 2), (1, 9)):
        with pytest.raises(LedgerError, match="is asked for to train on before it is scored"):
            book.scored_tokens(first, end)
    commitment = book.commit(1, 5, logits(4))
    with pytest.raises(LedgerError, match="before it is scored"):
        book.scored_tokens(1, 5)
    book.reveal(commitment)
    with pytest.raises(LedgerError, match="before it is scored"):
        book.scored_tokens(1, 5)
    book.agree(1, 5)
    assert book.scored_tokens(1, 5).tolist() == tokens[:5].tolist()
    assert book.scored_tokens(3, 5).tolist() == tokens[2:5].tolist()
    for first, end, unscored in ((1, 6, 5), (5, 6, 5), (6, 8, 5)):
        with pytest.raises(LedgerError, match=f"position {unscored} is asked for"):
            book.scored_tokens(first, end)


def test_the_token_before_a_range_must_be_scored_too() -> None:
    book = ledger(stream(9))
    score(book, 5, 7)
    book.agree(5, 7)
    with pytest.raises(LedgerError, match="position 4 is asked for"):
        book.scored_tokens(5, 7)


def test_a_gap_is_found_by_agreement_and_by_the_total() -> None:
    book = ledger(stream(9))
    score(book, 1, 4)
    score(book, 5, 9)
    with pytest.raises(LedgerError, match="position 4 was scored 0 times"):
        book.agree(1, 9)
    book.agree(1, 4)
    book.agree(5, 9)
    for ask in (book.total, book.replay):
        with pytest.raises(LedgerError, match="position 4 is not scored"):
            ask()


def test_the_replay_tells_what_happened_in_order() -> None:
    tokens, model, world = stream(50), Bigram(), World.single()
    book = ledger(tokens)
    windows = plan_windows(50, 8, 4)
    score_chunk(model, book, windows[:4], Scoring(3), world)
    book.scored_tokens(1, windows[3].end)
    score_chunk(model, book, windows[4:], Scoring(3), world)
    validator = Draft202012Validator(json.loads(SCHEMA.read_text()))
    events = [json.loads(line) for line in book.replay().splitlines()]
    for event in events:
        validator.validate(event)
    assert [(e["event"], e.get("first"), e.get("end"), e.get("state")) for e in events] == [
        ("stream", None, None, None),
        ("score", 1, 21, 0),
        ("update", 1, 21, 1),
        ("score", 21, 50, 1),
        ("total", None, None, None),
    ]
    assert sum(e["nats"] for e in events if e["event"] == "score") == events[-1]["nats"] == book.total().nats
    assert events[0]["tokens"] == 50 and events[-1]["tokens"] == 49


def test_the_schema_refuses_other_lines() -> None:
    validator = Draft202012Validator(json.loads(SCHEMA.read_text()))
    Draft202012Validator.check_schema(validator.schema)
    good = {"event": "update", "first": 1, "end": 5, "state": 1, "before": 0}
    assert validator.is_valid(good)
    for bad in ({**good, "first": 0}, {**good, "nats": 1.0}, {**good, "event": "peek"}, {"event": "update"}, []):
        assert not validator.is_valid(bad)
