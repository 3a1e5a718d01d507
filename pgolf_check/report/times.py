"""The table of times of `pgolf-check stats`: what each logged run spent on what, and which budget that is charged to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pgolf_check.rules.edition import Edition
from pgolf_check.rules.runs import LoggedRun
from pgolf_check.submission.model import Calibration

TRAINING, EVALUATION, NEITHER = "training", "evaluation", "not charged"
PHASES = {"hint precomputation": EVALUATION, "decompression": EVALUATION}
"""Budgets of the phases that a log tells; compilation, quantisation and compression are charged to neither in practice."""

Part = tuple[str, float, str]


def time_rows(edition: Edition, runs: Sequence[LoggedRun]) -> list[Sequence[str]]:
    """A row for each time that a run states: log, what took it, seconds, and the budget that it is charged to."""
    limits = {TRAINING: edition.training.seconds, EVALUATION: edition.evaluation.seconds}
    rows: list[Sequence[str]] = [("log", "time of", "seconds", "charged to")]
    for logged in runs:
        name = logged.log.path
        for what, seconds, budget in _parts(logged):
            charged = f"{limits[budget]:g} s of {budget}" if budget in limits else NEITHER
            rows.append((name, what, f"{seconds:,.1f}", charged))
            name = ""
    return rows


def _parts(logged: LoggedRun) -> Iterator[Part]:
    """(what, seconds, budget) in the order of the run; what the log says its timers leave out is told as that."""
    run = logged.run
    if run.train_seconds is not None:
        yield "training", run.train_seconds, TRAINING
    for line in run.calibrations:
        if line.seconds is not None:
            yield _calibration(line), line.seconds, EVALUATION if line.data == "self-generated" else TRAINING
    for phase in run.phases:
        yield phase.kind, phase.seconds, PHASES.get(phase.kind, NEITHER)
    for left_out in run.untimed:
        if left_out.seconds is not None:
            yield "outside the timers", left_out.seconds, EVALUATION
    charged = {f.location for f in logged.scores}
    for final in run.finals:
        if final.eval_seconds is not None:
            yield f"pass {final.label!r}", final.eval_seconds, EVALUATION if final.location in charged else NEITHER
    if run.total_eval_seconds is not None:
        yield "evaluation in total", run.total_eval_seconds, EVALUATION


def _calibration(line: Calibration) -> str:
    return f"calibration on {line.data} data" if line.data in ("training", "validation") else "calibration"
