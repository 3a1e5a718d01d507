"""The entropy canary: exact expectations over all streams, simulated scorers, repeated positions, printed digits."""

from __future__ import annotations

import itertools
import math
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgolf_check.dynamic.canary import (
    Evidence,
    Exposure,
    combined,
    evidence,
    may_be_bfloat16,
    most_nats,
    most_nats_of_bpb,
    sliding_exposure,
)

ALPHAS = (0.05, 0.01)


def distribution(key: object, symbols: int) -> list[float]:
    """Some distribution that `key` decides, often far from uniform."""
    drawn = [random.Random(f"{key}{v}").random() ** 4 + 1e-9 for v in range(symbols)]
    return [value / sum(drawn) for value in drawn]


@given(st.integers(2, 4), st.integers(1, 4), st.integers(0, 10**6))
def test_no_legal_scorer_expects_more_than_one(symbols: int, length: int, seed: int) -> None:
    total = 0.0
    for stream in itertools.product(range(symbols), repeat=length):
        nats = sum(-math.log(distribution((seed, stream[:t]), symbols)[token]) for t, token in enumerate(stream))
        total += math.exp(evidence(nats, symbols, Exposure.once(length), excess=0.0).log_e)
    assert total / symbols**length <= 1 + 1e-9


@given(st.integers(2, 3), st.lists(st.integers(1, 3), min_size=1, max_size=3), st.integers(0, 10**6), st.sampled_from([1e-6, 0.3]))
def test_repeated_positions_expect_no_more(symbols: int, weights: list[int], seed: int, alpha: float) -> None:
    exposure = Exposure(len(weights), sum(weights), max(weights))
    total = 0.0
    for stream in itertools.product(range(symbols), repeat=len(weights)):
        nats = sum(
            -math.log(distribution((seed, stream[:t], again), symbols)[token])
            for t, token in enumerate(stream)
            for again in range(weights[t])
        )
        total += math.exp(evidence(nats, symbols, exposure, excess=0.0, alpha=alpha).log_e)
    assert total / symbols ** len(weights) <= 1 + 1e-9


def test_legal_scorers_are_convicted_no_more_often_than_alpha() -> None:
    """10,000 scorers that learn from the past of their stream, are wrong about it, and repeat the last positions."""
    scorers, length, symbols, repeated = 10_000, 48, 5, 8
    generator = np.random.default_rng(1)
    streams = generator.integers(0, symbols, (scorers, length))
    prior = generator.gamma(generator.choice([0.3, 1.0, 30.0], (scorers, 1)), 1.0, (scorers, symbols)) + 1e-3
    learning = generator.choice([0.0, 0.5, 3.0], (scorers, 1))
    counts, rows = np.zeros((scorers, symbols)), np.arange(scorers)
    nats = np.zeros(scorers)
    for t in range(length):
        weights = prior + learning * counts
        nats -= np.log(weights[rows, streams[:, t]] / weights.sum(1)) * (2 if t >= length - repeated else 1)
        counts[rows, streams[:, t]] += 1
    exposure = Exposure(length, length + repeated, 2)
    for alpha in ALPHAS:
        convicted = sum(evidence(n, symbols, exposure, excess=0.0, alpha=alpha).convicts(alpha) for n in nats)
        assert convicted <= scorers * alpha


@pytest.mark.parametrize("gain", [0.001, 0.03])
def test_a_weak_leak_is_found_when_the_stream_is_long_enough(gain: float) -> None:
    loss, needed = math.log(1024) - gain, math.log(1e6) / (gain - 1.2e-5)
    for tokens, found in ((int(needed * 0.8), False), (int(needed * 1.2), True)):
        exposure = Exposure.once(tokens)
        assert evidence(most_nats(loss, 8, exposure), 1024, exposure).convicts() is found


def test_fixed_positions_count_as_loss_only() -> None:
    with_bos, without = Exposure.once(100, 5), Exposure.once(100)
    assert evidence(300.0, 64, with_bos, excess=0.0) == evidence(300.0, 64, without, excess=0.0)


def test_bits_per_byte_are_the_nats_of_all_bytes() -> None:
    assert most_nats_of_bpb(2.0, 4, 1000) == pytest.approx((2.0 + 0.5e-4) * math.log(2) * 1000)


@given(st.lists(st.floats(-50, 50), min_size=1, max_size=6))
def test_evidence_together_is_the_mean_of_the_e_values(logs: list[float]) -> None:
    mean = math.fsum(math.exp(log) for log in logs) / len(logs)
    assert combined(Evidence(log) for log in logs).log_e == pytest.approx(math.log(mean), abs=1e-9)


@given(st.integers(2, 60), st.integers(1, 12), st.data())
def test_sliding_windows_score_each_position_as_often_as_told(tokens: int, window: int, data: st.DataObject) -> None:
    stride = data.draw(st.integers(1, window))
    times = [0] * (tokens - 1)
    for start in range(0, tokens - 1, stride):
        end = min(start + window, tokens - 1)
        first = start if start == 0 else max(end - stride, start)
        for position in range(first, end):
            times[position] += 1
    exposure = sliding_exposure(tokens, window, stride)
    assert all(times) and exposure.positions == tokens - 1
    assert exposure.scorings == sum(times)
    assert exposure.most >= max(times)


@pytest.mark.parametrize(
    ("loss", "digits", "suspect"), [(9.0, 4, True), (6.9375, 4, True), (6.93147181, 8, False), (9.0109, 4, False)]
)
def test_losses_with_no_more_digits_than_a_bfloat16_are_known(loss: float, digits: int, suspect: bool) -> None:
    assert may_be_bfloat16(loss, digits) is suspect


@pytest.mark.parametrize("counts", [(0, 1, 1, 0), (2, 1, 1, 0), (2, 5, 2, 0), (1, 1, 1, -1)])
def test_impossible_counts_are_refused(counts: tuple[int, int, int, int]) -> None:
    with pytest.raises(ValueError, match="impossible counts"):
        Exposure(*counts)
