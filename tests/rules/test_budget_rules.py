"""T101 to T103: which times are charged, on which machine, in which track."""

from __future__ import annotations

from dataclasses import replace

import pytest
from rulings import blocks, check, figure, other_track, with_runs
from submissions import calibration, facts, final, log, run, submission, three_logs

from pgolf_check.model import Certainty, Location, Severity, Status
from pgolf_check.report.times import time_rows
from pgolf_check.rules.runs import counted_runs
from pgolf_check.submission.model import Log, Metadata, Phase, Untimed


@pytest.mark.parametrize(("code", "field"), [("T101", "train_seconds"), ("T102", "total_eval_seconds")])
def test_budgets(code: str, field: str) -> None:
    assert not check(code, with_runs(**{field: 600.0})).findings
    assert [f.ceiling for f in check(code, with_runs(**{field: 601.0})).findings] == [Severity.NOTE] * 3
    assert blocks(check(code, with_runs(**{field: 601.2})))
    unknown = check(code, with_runs(**{field: 650.0}, world_size=None))
    assert {f.certainty for f in unknown.findings} == {Certainty.POSSIBLE}
    assert not blocks(check(code, with_runs(**{field: 5000.0}, world_size=1)))
    assert check(code, other_track(logs=three_logs(**{field: 5000.0}))).status is Status.NOT_APPLICABLE


def test_the_track_is_that_of_the_folder_else_of_the_metadata() -> None:
    study = Metadata("submission.json", {"name": "non-record study"}, val_bpb=1.081, track="non-record-16mb")
    long = three_logs(train_seconds=5000.0)
    assert check("T101", submission(path="somewhere", metadata=study, logs=long)).status is Status.NOT_APPLICABLE
    assert blocks(check("T101", submission(metadata=study, logs=long)))
    untold = submission(path="somewhere", metadata=replace(study, track=""), logs=long, readme="# Non-record study")
    assert blocks(check("T101", untold))


@pytest.mark.parametrize(("code", "field"), [("T101", "train_seconds"), ("T102", "total_eval_seconds")])
def test_a_longer_run_beside_those_that_state_the_claim_asks_for_review(code: str, field: str) -> None:
    def longer(score: float, seed: int = 42) -> Log:
        path = "train_4h.log"
        return log(path, run(path, seed=seed, finals=(final(path, val_bpb=score),), **{field: 14_400.0}))

    answer = check(code, submission(logs=(*three_logs(), longer(1.02))))
    assert [f.ceiling for f in answer.findings] == [Severity.REVIEW]
    assert blocks(check(code, submission(logs=(*three_logs(), longer(1.081)))))
    assert blocks(check(code, submission(logs=(*three_logs(), longer(1.02, seed=7)))))
    assert blocks(check(code, submission(logs=(longer(1.02),))))


def test_t101_needs_a_time() -> None:
    assert check("T101", with_runs(train_seconds=None)).status is Status.NOT_ANALYSED


def test_t102_lines_of_one_run_are_alternatives() -> None:
    lines = tuple(final(eval_seconds=400.0, location=Location("train.log", n)) for n in (30, 31, 32))
    assert not check("T102", with_runs(finals=lines)).findings
    slow = (*lines, final(eval_seconds=616.0, location=Location("train.log", 33)))
    answer = check("T102", with_runs(finals=slow))
    assert blocks(answer) and answer.findings[0].locations[0].line == 33


def test_t102_diagnostics_are_not_charged() -> None:
    lines = (final(), final(eval_seconds=700.0, diagnostic=True, location=Location("train.log", 12)))
    assert not check("T102", with_runs(finals=lines)).findings


def test_t102_needs_a_time() -> None:
    assert check("T102", with_runs(finals=(final(eval_seconds=None),))).status is Status.NOT_ANALYSED


def test_t103_work_outside_the_timer() -> None:
    answer = check("T103", with_runs(untimed=(Untimed(Location("train.log", 22), "outside timer", 164.5),)))
    assert len(answer.findings) == 3 and figure(answer, "seconds_outside_timers") == 164.5
    assert not check("T103").findings
    generated = calibration("self-generated", 560.0)
    assert len(check("T103", with_runs(calibrations=(generated,))).findings) == 3
    assert not check("T103", with_runs(calibrations=(generated,), train_seconds=580.0)).findings
    assert not check("T103", with_runs(calibrations=(calibration("self-generated", 100.0),))).findings


def test_the_table_of_times_charges_each_part_to_a_budget() -> None:
    place = Location("train.log", 25)
    judged = with_runs(
        calibrations=(calibration(), calibration("self-generated", 100.0)),
        untimed=(Untimed(place, "outside timer", 164.5),),
        phases=(Phase(place, "", "compile", 88.8), Phase(place, "", "hint precomputation", 20.0)),
        finals=(final(), final(label="diagnostic", diagnostic=True, eval_seconds=7.0, location=Location("train.log", 29))),
        total_eval_seconds=90.0,
    )
    _, *rows = time_rows(facts(judged).edition, counted_runs(judged)[:1])
    assert [tuple(row[1:]) for row in rows] == [
        ("training", "600.0", "600 s of training"),
        ("calibration on training data", "3.6", "600 s of training"),
        ("calibration", "100.0", "600 s of evaluation"),
        ("compile", "88.8", "not charged"),
        ("hint precomputation", "20.0", "600 s of evaluation"),
        ("outside the timers", "164.5", "600 s of evaluation"),
        ("pass 'final'", "80.0", "600 s of evaluation"),
        ("pass 'diagnostic'", "7.0", "not charged"),
        ("evaluation in total", "90.0", "600 s of evaluation"),
    ]
