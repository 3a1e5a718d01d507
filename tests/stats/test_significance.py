"""Significance: the p-values that the challenge published are reproduced, and the tests agree with scipy's and with simulation."""

from __future__ import annotations

import datetime
import math
import random

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import special, stats

from pgolf_check.rules.edition import load_edition
from pgolf_check.stats.significance import fixed_sigma, margin_bpb, standing, welch
from pgolf_check.stats.student import t_cdf, t_quantile

RUNS = {record.created.strftime("%m-%dT%H:%M"): record.seeds_bpb for record in load_edition(None).leaderboard}
ROWS = {
    1493: RUNS["04-09T07:18"],
    1514: RUNS["04-09T23:37"],
    1529: RUNS["04-11T00:04"],
    1736: RUNS["04-19T09:55"],
    1769: RUNS["04-22T03:36"],
    1868: RUNS["04-27T06:56"],
    1855: RUNS["04-27T10:49"],
    1945: RUNS["04-29T19:20"],
    1953: RUNS["04-30T01:00"],
    2014: RUNS["04-30T21:00"],
    2135: RUNS["05-01T23:48"],
}
REPEATED = (1.05965, 1.06041, 1.06124)
"""Three runs of #1855 by another participant."""
ORIGINALS = (1.06128183, 1.06086831, 1.06220261)
"""The first three runs of #1868, before its rerun."""


@pytest.mark.parametrize(
    ("new", "old", "published", "ddof"),
    [
        (ROWS[1514], ROWS[1493], 0.020, 1),
        (ROWS[1529], ROWS[1514], 0.001, 1),
        (ROWS[1769], ROWS[1736], 0.063, 1),
        (ROWS[2135], ROWS[2014], 0.014, 1),
        ((*ROWS[1855], *REPEATED), ROWS[1868], 0.188, 1),
        ((*ROWS[1855], *REPEATED), ORIGINALS, 0.127, 1),
        (ROWS[1945], ROWS[1855], 0.034, 0),
        (ROWS[1953], ROWS[1945], 0.063, 0),
        (ROWS[2014], ROWS[1953], 0.011, 0),
    ],
)
def test_published_p_values(new: tuple[float, ...], old: tuple[float, ...], published: float, ddof: int) -> None:
    assert welch(new, old, ddof=ddof).p == pytest.approx(published, abs=0.001)


SAMPLES = st.lists(st.floats(0.9, 1.2), min_size=2, max_size=8, unique=True)


@given(SAMPLES, SAMPLES)
def test_welch_agrees_with_scipy(new: list[float], old: list[float]) -> None:
    assume(min(max(s) - min(s) for s in (new, old)) > 1e-6)
    expected = stats.ttest_ind(new, old, equal_var=False, alternative="less").pvalue
    assert welch(new, old).p == pytest.approx(expected, abs=1e-9)


@given(st.floats(-50, 50), st.floats(0.5, 200))
def test_student_agrees_with_scipy(t: float, df: float) -> None:
    assert t_cdf(t, df) == pytest.approx(special.stdtr(df, t), abs=1e-11)


@given(st.floats(0.001, 0.999), st.floats(1, 100))
def test_quantile_is_the_inverse(p: float, df: float) -> None:
    assert t_cdf(t_quantile(p, df), df) == pytest.approx(p, abs=1e-9)


@given(SAMPLES, SAMPLES, st.floats(0, 0.05))
def test_a_margin_makes_it_harder(new: list[float], old: list[float], margin: float) -> None:
    assert welch(new, old, margin=margin).p >= welch(new, old).p
    assert fixed_sigma(new, old, 0.001, margin=margin).p >= fixed_sigma(new, old, 0.001).p


def test_fixed_sigma_has_its_level_and_power() -> None:
    draw = random.Random(1)
    level, gain, sigma, trials = 0.1, 0.0008, 0.001, 4000

    def rejected(shift: float) -> float:
        tests = (
            fixed_sigma(
                [draw.gauss(1.0 - shift, sigma) for _ in range(3)], [draw.gauss(1.0, sigma) for _ in range(3)], sigma, level=level
            )
            for _ in range(trials)
        )
        return sum(t.p < t.level for t in tests) / trials

    assert rejected(0.0) == pytest.approx(level, abs=0.02)
    power = fixed_sigma([1.0 - gain] * 3, [1.0] * 3, sigma, level=level).power
    assert rejected(gain) == pytest.approx(power, abs=0.03)


def test_runs_that_do_not_differ() -> None:
    assert welch([1.0, 1.0], [1.1, 1.1]).passed
    assert not welch([1.0, 1.0], [1.0, 1.0]).passed


def test_too_few_runs_are_refused() -> None:
    with pytest.raises(ValueError, match="two runs"):
        welch([1.0], [1.1, 1.2])
    with pytest.raises(ValueError, match="a run"):
        fixed_sigma([], [1.0], 0.001)


@pytest.mark.parametrize(
    ("tokens_per_byte", "bpb"), [(0.41052, 0.002961), (0.30123, 0.002173), (0.26834, 0.001936), (0.31674, 0.002285)]
)
def test_the_margin_in_bits_per_byte(tokens_per_byte: float, bpb: float) -> None:
    assert margin_bpb(0.005, tokens_per_byte) == pytest.approx(bpb, abs=1e-6)


def test_the_standing_record() -> None:
    records = load_edition(None).leaderboard
    moment = datetime.datetime(2026, 4, 10, tzinfo=datetime.UTC)
    found = standing(records, moment)
    assert found is not None and math.isclose(found.mean_bpb, 1.07983273)
    before = standing(records, moment, folder=found.folder)
    assert before is not None and math.isclose(before.mean_bpb, 1.08100288)
    assert standing(records, datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)) is None
