"""T103: work that the score needs is done within the timed part of the run; a log that tells of work outside it asks for review."""

from __future__ import annotations

from collections.abc import Iterator

from pgolf_check.model import Answer, Certainty, Figure, Finding, Witness
from pgolf_check.rules.answers import failed, not_analysed, not_applicable
from pgolf_check.rules.facts import Facts
from pgolf_check.rules.runs import LoggedRun, counted_runs, is_record

CODE = "T103"


def check(facts: Facts) -> Answer:
    if not is_record(facts):
        return not_applicable(CODE, "the budgets bind the record track only")
    runs = counted_runs(facts.submission)
    if not runs:
        return not_analysed(CODE, "no log shows a finished run")
    findings = [finding for logged in runs for finding in (*_outside(facts, logged), *_generated(facts, logged))]
    left_out = [_seconds(logged) for logged in runs]
    return failed(CODE, findings, [Figure("seconds_outside_timers", max(left_out), "s")] if any(left_out) else [])


def _seconds(logged: LoggedRun) -> float:
    return sum(u.seconds or 0.0 for u in logged.run.untimed)


def _evaluation(logged: LoggedRun) -> float:
    """The longest evaluation that the run states."""
    taken = [f.eval_seconds for f in logged.scores if f.eval_seconds is not None]
    return max([*taken, logged.run.total_eval_seconds or 0.0])


def _outside(facts: Facts, logged: LoggedRun) -> Iterator[Finding]:
    """Work that the log itself says its timers leave out."""
    if not logged.run.untimed:
        return
    total = _seconds(logged) + _evaluation(logged)
    told = f"{logged.name}: {_seconds(logged):,.1f} s of work outside the timers; with the evaluation {total:,.1f} s"
    told += f" of {facts.edition.evaluation.seconds:g} s"
    yield Finding(CODE, Witness.PAPER, Certainty.PROVEN, told, tuple(u.location for u in logged.run.untimed))


def _generated(facts: Facts, logged: LoggedRun) -> Iterator[Finding]:
    """Calibration text that the model generates after the training budget is the evaluation's, and does not fit into it."""
    lines = [c for c in logged.run.calibrations if c.data == "self-generated" and c.seconds]
    trained = logged.run.train_seconds or 0.0
    if not lines or trained <= facts.edition.training.seconds - facts.edition.calibration_reserve:
        return
    total = sum(c.seconds or 0.0 for c in lines) + _evaluation(logged)
    if total > facts.edition.evaluation.limit:
        told = f"{logged.name}: text for calibration was generated after the training budget; with the evaluation that is {total:,.1f} s"
        told += f" of {facts.edition.evaluation.seconds:g} s"
        yield Finding(CODE, Witness.PAPER, Certainty.LIKELY, told, tuple(c.location for c in lines))
