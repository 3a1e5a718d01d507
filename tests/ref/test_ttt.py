"""Score-first test-time training: nothing is learnt before it is scored, and learning nothing changes nothing."""

import numpy as np
import pytest
import torch
from streams import ledger, stream
from toys import random_model, small

from pgolf_ref.config import Config
from pgolf_ref.data.shards import Tokens
from pgolf_ref.distributed import World
from pgolf_ref.evaluate.ledger import Score, ScoringLedger
from pgolf_ref.evaluate.score import Scoring, evaluate
from pgolf_ref.evaluate.ttt import evaluate_score_first
from pgolf_ref.evaluate.windows import plan_windows, split_into_chunks
from pgolf_ref.model.gpt import GPT


def config(*overrides: str) -> Config:
    return small("evaluate.stride=6", "ttt.epochs=2", "ttt.chunk_tokens=36", "ttt.batch_rows=2", "ttt.lr=0.1", *overrides)


def with_ttt(model: GPT, tokens: Tokens, settings: Config, book: ScoringLedger | None = None) -> Score:
    chunks = split_into_chunks(plan_windows(len(tokens), 12, 6), settings.ttt.chunk_tokens)
    return evaluate_score_first(model, book or ledger(tokens), chunks, Scoring(4), settings.ttt, 12, World.single())


def without_ttt(model: GPT, tokens: Tokens, settings: Config) -> Score:
    chunks = split_into_chunks(plan_windows(len(tokens), 12, 6), settings.ttt.chunk_tokens)
    return evaluate(model, ledger(tokens), chunks, Scoring(4), World.single())


class Recording(ScoringLedger):
    """A ledger that remembers every chunk's score and what was learnt from."""

    def __init__(self, tokens: Tokens) -> None:
        plain = ledger(tokens)
        super().__init__(tokens, plain._counts, plain._world)
        self.nats: list[tuple[int, int, float]] = []
        self.learnt: list[tuple[int, int]] = []

    def _record(self, event: str, first: int, end: int, **values: float) -> None:
        super()._record(event, first, end, **values)
        if event == "score":
            self.nats.append((first, end, values["nats"]))
        else:
            self.learnt.append((first, end))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_learning_rate_of_zero_is_bitwise_no_training(dtype: torch.dtype) -> None:
    settings, tokens = config("ttt.lr=0"), stream(150)
    model = random_model(settings).to(dtype)
    plain = without_ttt(model, tokens, settings)
    assert with_ttt(model, tokens, settings) == plain


def test_every_chunk_but_the_last_is_learnt_from_after_its_score() -> None:
    settings, tokens = config(), stream(150)
    book = Recording(tokens)
    with_ttt(random_model(settings), tokens, settings, book)
    ranges = [(first, end) for first, end, _ in book.nats]
    assert len(ranges) == 5 and book.learnt == ranges[:-1]


def test_a_text_of_one_chunk_is_not_learnt_from() -> None:
    settings, tokens = config(), stream(30)
    model = random_model(settings)
    before = [parameter.detach().clone() for parameter in model.parameters()]
    assert with_ttt(model, tokens, settings) == without_ttt(random_model(settings), tokens, settings)
    assert all(torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))


def test_later_targets_do_not_change_earlier_scores() -> None:
    """The future flip: from some position on all tokens differ; every chunk that ends before it scores the same, bit by bit."""
    settings, tokens = config(), stream(150)
    flipped = tokens.copy()
    flipped[80:] = (flipped[80:] + 7) % 40
    first, second = Recording(tokens), Recording(flipped)
    with_ttt(random_model(settings), tokens, settings, first)
    with_ttt(random_model(settings), flipped, settings, second)
    pairs = list(zip(first.nats, second.nats, strict=True))
    assert [a == b for a, b in pairs if a[1] <= 80] == [True, True]
    assert not any(a == b for a, b in pairs if a[1] > 80)


def test_what_is_learnt_pays_on_a_text_that_repeats_itself() -> None:
    settings, tokens = config("ttt.lr=0.02"), np.tile(stream(24), 12)
    model = random_model(settings)
    assert with_ttt(model, tokens, settings).nats < without_ttt(random_model(settings), tokens, settings).nats - 50


def test_a_chunk_is_cut_into_rows_that_predict_each_of_its_targets_once() -> None:
    """Chunks of 42 targets: batches of two rows of 12, then one row of 12 and a rest of 6."""
    settings, tokens = config("ttt.chunk_tokens=42", "ttt.epochs=1"), stream(90)
    seen: list[tuple[list[list[int]], list[list[int]]]] = []

    class Watched(GPT):
        def loss(self, inputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
            seen.append((inputs.tolist(), targets.tolist()))
            return super().loss(inputs, targets)

    model = Watched(settings.model).double()
    chunk_end = split_into_chunks(plan_windows(90, 12, 6), 42)[0][-1].end
    with_ttt(model, tokens[: chunk_end + 30], settings)
    first = [(i, t) for inputs, targets in seen for i, t in zip(inputs, targets, strict=True)]
    assert [token for _, row in first for token in row][: chunk_end - 1] == tokens[1:chunk_end].tolist()
    assert [token for row, _ in first for token in row][: chunk_end - 1] == tokens[: chunk_end - 1].tolist()
    assert all(len(inputs) <= 2 and len(inputs[0]) <= 12 for inputs, _ in seen)
