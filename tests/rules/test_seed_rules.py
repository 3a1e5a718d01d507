"""V101 to V104: distinct runs of one configuration and one script, against the record that stood."""

from __future__ import annotations

import datetime
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rulings import blocks, check, figure, other_track, with_runs, with_source
from submissions import SEEDS, final, log, run, submission, three_logs

from pgolf_check.model import Severity, Status
from pgolf_check.submission.model import Log, Metadata, Submission


def test_v102_counts_distinct_seeds() -> None:
    one = three_logs()[:1]
    assert blocks(check("V102", submission(logs=one)))
    assert blocks(check("V102", submission(logs=())))
    assert blocks(check("V102", with_runs(seed=42)))
    assert check("V102", other_track(logs=one)).status is Status.NOT_APPLICABLE


def test_v102_one_log_may_hold_several_runs() -> None:
    runs = [run(seed=seed, first_line=1 + 50 * n) for n, seed in enumerate(SEEDS)]
    assert not check("V102", submission(logs=(log("all.log", *runs),))).findings


def test_v102_copies_of_a_log_are_one() -> None:
    copies = tuple(Log(f"seed{n}.log", "the same text", runs=(run(seed=None),)) for n in range(3))
    assert figure(check("V102", submission(logs=copies)), "distinct_runs") == 1


def test_v102_without_seeds_scores_tell_runs_apart() -> None:
    logs = tuple(log(f"{n}.log", run(seed=None, finals=(final(val_bpb=1.08 + n / 1e4),))) for n in range(3))
    assert not check("V102", submission(logs=logs)).findings


def test_v102_an_unfinished_run_is_none() -> None:
    assert blocks(check("V102", with_runs(finals=(final(diagnostic=True),))))


def test_v101_against_the_record_that_stood() -> None:
    dated = Metadata("submission.json", {"date": "2026-04-09"}, val_bpb=1.081)
    logs = three_logs(finals=(final(val_bpb=1.0810),))
    judged = submission(metadata=dated, logs=logs)
    assert figure(check("V101", judged), "standing_bpb") == pytest.approx(1.08217956)
    assert not check("V101", judged).findings
    later = replace(judged, metadata=replace(dated, data={"date": "2026-04-12"}))
    assert [f.ceiling for f in check("V101", later).findings] == [Severity.REVIEW]
    named = check("V101", judged, as_of=datetime.date(2026, 4, 12))
    assert blocks(named) and named.findings[0].message.count("1.07336")


def test_v101_the_readmes_margin_binds_under_strict_only() -> None:
    logs = tuple(
        log(f"{seed}.log", run(f"{seed}.log", seed=seed, finals=(final(f"{seed}.log", val_bpb=1.0809 + seed / 1e7),)))
        for seed in SEEDS
    )
    judged = submission(metadata=Metadata("submission.json", {"date": "2026-04-09"}, val_bpb=1.0809), logs=logs)
    assert not check("V101", judged).findings
    assert check("V101", judged, profile="strict").findings


def test_v103_settings_that_name_the_run_may_differ() -> None:
    def judged(*configs: dict[str, str]) -> Submission:
        return submission(logs=tuple(log(f"{n}.log", run(f"{n}.log", seed=n, config=c)) for n, c in enumerate(configs)))

    assert not check("V103", judged({"lr": "1", "run_id": "a"}, {"lr": "1", "run_id": "b"})).findings
    assert not check("V103", judged({"lr": "1", "x": "/a"}, {"lr": "1", "x": "/b"}, {"lr": "1", "y": "2"})).findings
    assert "lr" in check("V103", judged({"lr": "1"}, {"lr": "2"})).findings[0].message
    assert check("V103", judged({})).status is Status.NOT_APPLICABLE
    assert check("V103", judged({}, {})).status is Status.NOT_ANALYSED


@given(st.lists(st.sampled_from(["a = 1", "b = 2", "c = 3", "d = 4"]), min_size=1, max_size=30))
def test_v104_the_same_lines_are_the_same_script(lines: list[str]) -> None:
    source = "\n".join(lines)
    logs = tuple(replace(entry, embedded_source=source + "\n\n") for entry in three_logs())
    judged = replace(with_source(source), logs=logs)
    assert not check("V104", judged).findings
    other = check("V104", replace(judged, logs=tuple(replace(entry, embedded_source="z = 0\n" * 40) for entry in logs)))
    assert blocks(other) and figure(other, "least_share_of_equal_lines") == 0
