"""B101, B103 and B104: what the final lines imply about the bytes that they divide by."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from rulings import blocks, check, figure, with_runs
from submissions import final, log, model_of, run, submission, three_logs

from pgolf_check.model import Certainty, Location, Severity, Status
from pgolf_check.submission.model import File


@pytest.mark.parametrize(("factor", "code"), [(1.177, "B101"), (1.09, "B101"), (1.0005, "B101"), (0.98, "B104"), (0.2, "B104")])
def test_bytes_that_are_not_those_of_the_split(factor: float, code: str) -> None:
    judged = with_runs(finals=(final(val_bpb=1.08099999 / factor),))
    assert {c for c in ("B101", "B103", "B104") if blocks(check(c, judged))} == {code}
    assert figure(check("B101", judged), "implied_bytes") == pytest.approx(151_078_222 * factor, rel=1e-5)


def test_b104_a_dropped_end_asks_for_review() -> None:
    answer = check("B104", with_runs(finals=(final(val_bpb=1.08099999 / 0.9995),)))
    assert {f.ceiling for f in answer.findings} == {Severity.REVIEW}


def test_b103_bytes_of_the_transformed_text() -> None:
    loss = 1.08 * 0.6931471805599453 * 164_594_397 / 47_851_520
    judged = with_runs(val_tokens=47_851_520, dataset="", finals=(final(val_bpb=1.08, val_loss=loss),))
    assert {c for c in ("B101", "B103", "B104") if blocks(check(c, judged))} == {"B103"}
    assert check("B103").status is Status.NOT_APPLICABLE


def test_one_finding_for_the_lines_of_a_run() -> None:
    lines = tuple(final(val_bpb=0.9 + n / 100, digits=4 + n, location=Location("train.log", 30 + n)) for n in range(3))
    answer = check("B101", submission(logs=(log("train.log", run(finals=lines)),)))
    assert [f.locations for f in answer.findings] == [(Location("train.log", 32),)]


def test_b101_another_lossless_tokenizer_passes() -> None:
    tokens = 36_300_000
    loss = 1.08 * 0.6931471805599453 * 151_077_000 / tokens
    assert not check("B101", with_runs(val_tokens=tokens, dataset="other", finals=(final(val_bpb=1.08, val_loss=loss),))).findings


def test_b101_rounded_lines_are_given_their_rounding() -> None:
    assert not check("B101", with_runs(finals=(final(val_bpb=1.081, val_loss=2.792, digits=3),))).findings
    assert blocks(check("B101", with_runs(finals=(final(val_bpb=1.07, val_loss=2.792, digits=3),))))


def test_b101_without_a_token_count_the_named_data_set_decides() -> None:
    doubled = (final(val_bpb=1.08099999 / 1.177),)
    answer = check("B101", with_runs(val_tokens=None, finals=doubled))
    assert blocks(answer) and answer.findings[0].certainty is Certainty.LIKELY
    assert not check("B101", with_runs(val_tokens=None)).findings
    assert check("B101", with_runs(val_tokens=None, dataset="mine", finals=doubled)).status is Status.NOT_ANALYSED


def test_b101_a_run_that_is_not_claimed_is_a_note() -> None:
    other = log("ablation.log", run("ablation.log", seed=1, finals=(final("ablation.log", val_bpb=0.9),)))
    answer = check("B101", submission(logs=(*three_logs(), other)))
    assert [f.ceiling for f in answer.findings] == [Severity.NOTE]


def test_b101_a_score_that_another_line_states_alone_may_not_belong_to_the_loss() -> None:
    """A mixture's score next to the loss of the model alone."""
    mixed = final(val_bpb=0.9418), final(val_bpb=0.9418, val_loss=None, location=Location("train.log", 29))
    answer = check("B101", with_runs(finals=mixed))
    assert {f.certainty for f in answer.findings} == {Certainty.POSSIBLE}
    assert blocks(check("B101", with_runs(finals=mixed[:1])))


def test_b101_a_loss_per_byte_implies_nothing() -> None:
    per_byte = (final(val_bpb=1.08099999, val_loss=1.08099999 * math.log(2)),)
    assert check("B101", with_runs(finals=per_byte)).status is Status.NOT_ANALYSED
    assert check("B101", with_runs(finals=per_byte, val_tokens=151_078_222)).status is Status.PASS


def test_b101_needs_both_figures() -> None:
    assert check("B101", with_runs(finals=(final(val_loss=None),))).status is Status.NOT_ANALYSED


@pytest.mark.parametrize("bare", [True, False])
def test_b101_a_tokenizer_without_a_bare_space(bare: bool) -> None:
    pieces = [("\u2581the", 1), ("<0x20>", 6), *([("\u2581", 1)] if bare else [])]
    data = model_of(pieces)
    shipped = File("own.model", len(data), data)
    told = submission(files=(shipped,))
    assert not check("B101", told).findings
    wrong = check("B101", replace(told, logs=three_logs(finals=(final(val_bpb=0.9),))))
    assert blocks(wrong) and ("own.model has no piece" in wrong.findings[0].message) != bare
    untold = check("B101", replace(told, logs=()))
    assert untold.status is Status.NOT_ANALYSED
    assert [f.certainty for f in untold.findings] == ([] if bare else [Certainty.POSSIBLE])
