"""The accuracy figures: what counts as caught, the interval against its definition, and a README that shows what was measured."""

from __future__ import annotations

import json
import math

import accuracy
import pytest
from hypothesis import given
from hypothesis import strategies as st


def answer(verdict: str, *findings: tuple[str, str]) -> dict[str, object]:
    return {"verdict": verdict, "findings": [{"rule": rule, "severity": severity} for rule, severity in findings]}


def breach(rule: str, **more: object) -> dict[str, object]:
    return {"label": "illegal", "rule": rule, "subject": "code", **more}


@pytest.mark.parametrize(
    ("row", "given_answer", "caught", "exact"),
    [
        (breach("C301"), answer("illegal", ("C301", "block")), True, True),
        (breach("C301"), answer("illegal", ("C402", "block")), True, False),
        (breach("C301"), answer("illegal", ("C201", "block")), False, False),
        (breach("C301"), answer("review", ("C301", "review")), False, True),
        (breach("C301"), answer("illegal", ("C201", "block"), ("C301", "note")), False, False),
        (breach("C301", also=["C201"]), answer("illegal", ("C201", "block")), True, False),
        ({**breach("P101"), "label": "ineligible"}, answer("illegal", ("P102", "review")), True, False),
    ],
)
def test_what_is_caught(row: dict[str, object], given_answer: dict[str, object], caught: bool, exact: bool) -> None:
    found = accuracy.outcome(row, given_answer)
    assert (found["caught"], found["exact"]) == (caught, exact)


@pytest.mark.parametrize(
    ("subject", "finding", "false", "clean"),
    [
        ("code", ("C301", "block"), True, False),
        ("code", ("C301", "review"), False, False),
        ("code", ("X102", "block"), False, False),
        ("code", ("S101", "block"), False, True),
        ("paper", ("S101", "block"), True, True),
        ("code", ("C301", "note"), False, True),
    ],
)
def test_what_a_legal_row_counts_for(subject: str, finding: tuple[str, str], false: bool, clean: bool) -> None:
    found = accuracy.outcome({"label": "legal", "subject": subject}, answer("review", finding))
    assert found == {"false": false, "clean": clean}


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_interval_holds_the_shares_that_the_score_test_keeps(counts: tuple[int, int]) -> None:
    """The Wilson interval inverts the score test: at its ends the observed share is 1.96 standard errors away."""
    k, n = counts
    low, high = accuracy.wilson(k, n) or [0, 0]
    assert low <= k / n <= high
    for end in (low, high):
        if 0.0005 < end < 0.9995:
            away = [abs(k / n - e) / math.sqrt(e * (1 - e) / n) for e in (end - 0.0001, end + 0.0001)]
            assert min(away) <= 1.96 <= max(away)


def test_the_readme_shows_what_was_measured() -> None:
    readme = accuracy.README.read_text(encoding="utf-8")
    assert accuracy.BEGIN in readme
    assert accuracy.with_table(readme, json.loads(accuracy.RESULT.read_text(encoding="utf-8"))) == readme
