"""D103: training data is read only within the training budget; calibration of the quantiser on it is training.

From the logs: a run that trains until its budget is used, sets no time aside, and then calibrates. Calibration on text that the model
generates reads no data; it belongs to the evaluation's time (T103). Without a log, from the order of the script (`calibration_source`).
"""

from __future__ import annotations

from collections.abc import Iterator

from pgolf_check.model import Answer, Certainty, Figure, Finding, Severity, Step, Witness
from pgolf_check.rules.answers import failed, not_analysed, not_applicable
from pgolf_check.rules.calibration_source import HOOK, calibration_after_training
from pgolf_check.rules.facts import Facts
from pgolf_check.rules.runs import LoggedRun, counted_runs, is_record
from pgolf_check.rules.source import lowered
from pgolf_check.rules.words import may_hold
from pgolf_check.submission.model import Calibration, Run

CODE = "D103"
OTHER_DATA = frozenset({"self-generated", "validation"})
"""What is not training data; validation tokens are the matter of D104."""


def check(facts: Facts) -> Answer:
    if not is_record(facts):
        return not_applicable(CODE, "the training budget binds the record track only")
    runs = [r for r in counted_runs(facts.submission) if r.run.train_seconds is not None]
    if not runs:
        return _by_source(facts)
    findings = [finding for logged in runs for finding in _of_run(facts, logged)]
    taken = [seconds for r in runs if (seconds := _seconds(_calibrations(r.run))) is not None]
    return failed(CODE, findings, [Figure("calibration_seconds", max(taken), "s")] if taken else [])


def _by_source(facts: Facts) -> Answer:
    """What the entry script shows where no log tells how long it trained."""
    script = facts.submission.scripts.get(facts.submission.entry)
    text = script.text if script is not None else None
    module = lowered(text) if text is not None and may_hold(text, {HOOK}) else None
    budget = facts.edition.training.seconds - facts.edition.calibration_reserve
    steps = calibration_after_training(facts.submission.entry, module, budget) if module is not None else ()
    if not steps:
        return not_analysed(CODE, "no log states the training time of a finished run")
    told = (
        "after the training loop, whose limit has no time taken off, the script calibrates on training data; no log shows its times"
    )
    return failed(CODE, [Finding(CODE, Witness.PAPER, Certainty.LIKELY, told, (steps[-1].location,), steps)])


def _of_run(facts: Facts, logged: LoggedRun) -> Iterator[Finding]:
    calibrations = _calibrations(logged.run)
    trained = logged.run.train_seconds or 0.0
    if not calibrations or trained <= facts.edition.training.seconds - facts.edition.calibration_reserve:
        return
    taken, reserved = _seconds(calibrations), _reserved(logged.run)
    over = trained + (taken or 0.0) - facts.edition.training.seconds
    told = (
        f"{logged.name}: training took {trained:,.1f} s of {facts.edition.training.seconds:g} s, then the quantiser was calibrated"
    )
    told += f" on training data for {taken:,.1f} s" if taken is not None else " on training data"
    certainty, ceiling = Certainty.PROVEN, Severity.BLOCK
    if reserved:
        if over <= facts.edition.training.grace:
            return
        told += f", {over:,.1f} s over although {reserved:g} s were set aside"
        ceiling = Severity.NOTE if over <= facts.edition.calibration_overrun else Severity.REVIEW
    else:
        told += "; no time was set aside for it"
    if not any(c.data == "training" for c in calibrations):
        told, certainty = f"{told} (the log does not name the data)", Certainty.LIKELY
    if logged.run.world_size not in (None, facts.edition.hardware.count):
        told, ceiling = f"{told}; this run had {logged.run.world_size} GPU(s)", Severity.NOTE
    trace = tuple(Step(c.location, c.text.strip()) for c in calibrations)
    stop = Step(logged.location, f"training stops after {trained:,.1f} s")
    yield Finding(CODE, Witness.PAPER, certainty, told, (calibrations[0].location,), (stop, *trace), ceiling)


def _calibrations(run: Run) -> list[Calibration]:
    """The calibration lines after the end of training; none if the run says that it used other data."""
    if any(c.data in OTHER_DATA for c in run.calibrations):
        return []
    return [c for c in run.calibrations if run.stop is None or c.location.line > run.stop.line]


def _seconds(calibrations: list[Calibration]) -> float | None:
    taken = [c.seconds for c in calibrations if c.seconds is not None]
    return sum(taken) if taken else None


def _reserved(run: Run) -> float:
    """Seconds that the run sets aside for calibration; the line that tells them may be rounded."""
    try:
        configured = float(run.config.get("gptq_reserve_seconds", "0"))
    except ValueError:
        configured = 0.0
    return max(configured, run.reserved_seconds or 0.0)
