"""Windows that score every position once, in the context that the definition gives it."""

import json
import math
import os
import socket
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from streams import Bigram, brute_force, ledger, stream
from toys import random_model, small

from pgolf_ref.config import Config
from pgolf_ref.distributed import World
from pgolf_ref.evaluate.ledger import Score
from pgolf_ref.evaluate.score import Scoring, evaluate
from pgolf_ref.evaluate.ttt import evaluate_score_first
from pgolf_ref.evaluate.windows import plan_windows, split_into_batches, split_into_chunks

SIZES = st.tuples(st.integers(2, 90), st.integers(1, 12)).flatmap(
    lambda sizes: st.tuples(st.just(sizes[0]), st.just(sizes[1]), st.integers(1, sizes[1]))
)


def scored(model: torch.nn.Module, tokens: np.ndarray, seq_len: int, stride: int, batch: int = 4, chunk: int = 1000) -> Score:
    chunks = split_into_chunks(plan_windows(len(tokens), seq_len, stride), chunk)
    return evaluate(model, ledger(tokens), chunks, Scoring(batch), World.single())


@given(SIZES)
def test_every_position_is_scored_once_for_any_stride(sizes: tuple[int, int, int]) -> None:
    tokens, seq_len, stride = sizes
    windows = plan_windows(tokens, seq_len, stride)
    assert [p for w in windows for p in range(w.first, w.end)] == list(range(1, tokens))
    for window in windows:
        assert 0 <= window.start < window.first and window.end - 1 - window.start <= seq_len


@given(SIZES)
def test_a_window_of_the_interior_sees_its_full_length(sizes: tuple[int, int, int]) -> None:
    tokens, seq_len, stride = sizes
    windows = plan_windows(tokens, seq_len, stride)
    assert all(w.end - 1 - w.start == seq_len for w in windows[:-1])
    assert all(w.end - w.first == stride for w in windows[1:-1])


@given(SIZES, st.integers(1, 40), st.integers(1, 6))
def test_chunks_and_batches_hold_every_window_once(sizes: tuple[int, int, int], chunk: int, batch: int) -> None:
    tokens, seq_len, stride = sizes
    windows = plan_windows(tokens, seq_len, stride)
    chunks = split_into_chunks(windows, chunk)
    assert [w for part in chunks for w in part] == windows
    assert all(len({(w.first - 1) // chunk for w in part}) == 1 for part in chunks)
    for part in chunks:
        batches = split_into_batches(part, batch)
        assert sorted((w for b in batches for w in b), key=lambda w: w.first) == part
        assert all(len(b) <= batch for b in batches) and len(batches) == -(-len(part) // batch)


@given(SIZES, st.integers(1, 6), st.integers(1, 40))
@settings(max_examples=40, deadline=None)
def test_the_score_is_that_of_a_loop_over_positions(sizes: tuple[int, int, int], batch: int, chunk: int) -> None:
    """For any division into batches and chunks; the contexts grow to seq_len and never fall below seq_len - stride + 1."""
    length, seq_len, stride = sizes
    tokens, model = stream(length), Bigram()
    nats, contexts = brute_force(model, tokens, seq_len, stride)
    assert scored(model, tokens, seq_len, stride, batch, chunk).nats == pytest.approx(nats, rel=1e-12)
    assert contexts[:seq_len] == list(range(1, length))[:seq_len]
    assert all(seq_len - stride < context <= seq_len for context in contexts[seq_len:])


@pytest.mark.parametrize("length", [2, 12, 13, 14, 25, 100])
def test_sliding_by_the_full_length_is_chunked(length: int) -> None:
    """The chunked score by hand: disjoint pieces and the tail, each from its own beginning."""
    config = small()
    model, tokens = random_model(config), stream(length)
    nats = 0.0
    with torch.no_grad():
        for start in range(0, length - 1, 12):
            piece = torch.from_numpy(tokens[start : start + 13].astype(np.int64))
            log_p = torch.log_softmax(model(piece[None, :-1])[0], -1)
            nats -= float(log_p.gather(1, piece[1:, None]).sum())
    assert scored(model, tokens, 12, 12).nats == pytest.approx(nats, rel=1e-12)


def test_a_short_text_has_one_score_whatever_the_stride() -> None:
    model, tokens = random_model(small()), stream(12)
    assert len({scored(model, tokens, 12, stride).nats for stride in (1, 5, 12)}) == 1


def test_a_stride_of_one_is_full_context_for_every_position() -> None:
    model, tokens = random_model(small()), stream(40)
    nats, contexts = brute_force(model, tokens, 12, 1)
    assert contexts == [min(position, 12) for position in range(1, 40)]
    assert scored(model, tokens, 12, 1).nats == pytest.approx(nats, rel=1e-12)


def test_a_uniform_model_scores_the_logarithm_of_the_vocabulary() -> None:
    model = Bigram()
    torch.nn.init.zeros_(model.weight)
    assert scored(model, stream(77), 8, 3).loss == pytest.approx(math.log(40), rel=1e-14)


def test_evaluation_changes_no_weight_and_leaves_no_gradient() -> None:
    model = random_model(small())
    before = [parameter.clone() for parameter in model.parameters()]
    scored(model, stream(60), 12, 5)
    assert all(torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))
    assert all(parameter.grad is None for parameter in model.parameters())


# Ranks


def _score_rank(rank: int, size: int, port: int, folder: str, config: Config) -> None:
    torch.set_num_threads(1)
    os.environ.update(RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE=str(size), MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
    world = World.from_environment("cpu")
    scores = _scores(config, world)
    Path(folder, f"{rank}.json").write_text(json.dumps([asdict(score) for score in scores]))
    torch.distributed.barrier()
    world.close()


def _scores(config: Config, world: World) -> list[Score]:
    tokens = stream(230)
    chunks = split_into_chunks(plan_windows(len(tokens), 12, 6), config.ttt.chunk_tokens)
    plain = evaluate(random_model(config), ledger(tokens, world=world), chunks, Scoring(2), world)
    model = random_model(config)
    return [plain, evaluate_score_first(model, ledger(tokens, world=world), chunks, Scoring(2), config.ttt, 12, world)]


def test_two_ranks_give_the_scores_of_one(tmp_path: Path) -> None:
    """Also where a chunk has an odd number of batches and a training batch one row."""
    config = small("evaluate.stride=6", "ttt.epochs=2", "ttt.chunk_tokens=42", "ttt.batch_rows=2", "ttt.lr=0.05")
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = int(listener.getsockname()[1])
    torch.multiprocessing.spawn(_score_rank, (2, port, str(tmp_path), config), nprocs=2)
    first, second = (json.loads((tmp_path / f"{rank}.json").read_text()) for rank in range(2))
    assert first == second
    alone = _scores(config, World.single())
    for together, expected in zip(first, alone, strict=True):
        assert (together["tokens"], together["bytes"]) == (expected.tokens, expected.bytes)
        assert together["nats"] == pytest.approx(expected.nats, rel=1e-9)
    assert abs(alone[0].nats - alone[1].nats) > 1e-3
