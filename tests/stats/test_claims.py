"""Claimed figures against logged ones: reproduced, a mean, of a diagnostic line, better than anything logged, or contradicted."""

from __future__ import annotations

import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st
from submissions import SEEDS, SOURCE, final, log, run, submission

from pgolf_check.stats.claims import Standing, headline, readme_claims, seed_claims, size_claims
from pgolf_check.submission.model import Metadata, Submission

SCORES = (1.08012345, 1.08123456, 1.08265432)


def claiming(value: float, scores: tuple[float, ...] = SCORES, **changes: object) -> Submission:
    logs = tuple(
        log(f"{seed}.log", run(f"{seed}.log", seed=seed, finals=(final(f"{seed}.log", val_bpb=score),)))
        for seed, score in zip(SEEDS, scores, strict=False)
    )
    return submission(metadata=Metadata("submission.json", {}, val_bpb=value), logs=logs, **changes)


@pytest.mark.parametrize(
    ("value", "standing"),
    [
        (SCORES[0], Standing.REPRODUCED),
        (1.0827, Standing.REPRODUCED),
        (statistics.fmean(SCORES), Standing.MEAN),
        (1.07, Standing.BETTER),
        (1.0, Standing.BETTER),
        (1.0815123, Standing.CONTRADICTED),
        (1.10123, Standing.CONTRADICTED),
    ],
)
def test_headline(value: float, standing: Standing) -> None:
    claim = headline(claiming(value))
    assert claim is not None and claim.standing is standing


@given(st.lists(st.floats(0.5, 2.0), min_size=2, max_size=3, unique=True))
def test_a_run_and_the_mean_of_the_runs_are_upheld(scores: list[float]) -> None:
    for value in (*scores, statistics.fmean(scores)):
        claim = headline(claiming(value, tuple(scores)))
        assert claim is not None and claim.standing in (Standing.REPRODUCED, Standing.MEAN)


@given(st.lists(st.floats(1.0, 2.0), min_size=1, max_size=3), st.floats(0.01, 0.5))
def test_what_is_below_every_run_is_better(scores: list[float], gap: float) -> None:
    value = round(min(scores) - gap, 6)
    claim = headline(claiming(value, tuple(scores)))
    assert claim is not None and claim.standing is Standing.BETTER
    assert claim.nearest == min(scores)


def test_a_diagnostic_line_is_not_the_artifact() -> None:
    finals = (final(val_bpb=1.07, diagnostic=True), final(val_bpb=1.08))
    judged = submission(metadata=Metadata("submission.json", {}, val_bpb=1.07), logs=(log("a.log", run(finals=finals)),))
    claim = headline(judged)
    assert claim is not None and claim.standing is Standing.DIAGNOSTIC


def test_a_run_that_two_logs_hold_counts_once() -> None:
    judged = claiming(statistics.fmean(SCORES))
    claim = headline(submission(metadata=judged.metadata, logs=(*judged.logs, log("copy.log", judged.logs[0].runs[0]))))
    assert claim is not None and claim.standing is Standing.MEAN


def test_without_a_log_nothing_is_held_against_it() -> None:
    claim = headline(submission(metadata=Metadata("submission.json", {}, val_bpb=1.0), logs=()))
    assert claim is not None and claim.standing is Standing.UNLOGGED
    assert headline(submission(metadata=None)) is None


def test_seeds_are_held_against_their_own_runs() -> None:
    metadata = Metadata("submission.json", {}, val_bpb=1.08, seed_bpb={42: 1.0801, 314: 1.0801, 7: 1.0801})
    found = {c.name: c.standing for c in seed_claims(submission(metadata=metadata, logs=claiming(1.0).logs))}
    assert list(found.values()) == [Standing.REPRODUCED, Standing.BETTER, Standing.UNLOGGED]


def test_sizes() -> None:
    metadata = Metadata("submission.json", {}, bytes_total=15_900_000 + len(SOURCE), bytes_code=900)
    found = [c.standing for c in size_claims(submission(metadata=metadata))]
    assert found == [Standing.REPRODUCED, Standing.CONTRADICTED]


def test_readme_tables() -> None:
    readme = "| seed | val_bpb | loss |\n|---|---|---|\n| 42 | **1.0801** | 2.79231896 |\n| 314 | 1.0700 | 12.5 |\nprose 1.0600\n"
    found = [(c.value, c.place.line, c.standing) for c in readme_claims(claiming(1.0, readme=readme), "README.md")]
    assert found == [(1.0801, 3, Standing.REPRODUCED), (2.79231896, 3, Standing.REPRODUCED), (1.07, 4, Standing.BETTER)]
