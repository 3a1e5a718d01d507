"""X102: every run that matters could be followed to the claimed score.

What could not be followed blocks a `clean` verdict where it stands between the start of the run and the claim.
"""

from __future__ import annotations

from collections.abc import Iterator

from pgolf_check.model import Answer, Certainty, Finding, Location, Severity, Step, Witness
from pgolf_check.rules.answers import failed, not_applicable
from pgolf_check.rules.facts import Facts
from pgolf_check.rules.order import report_step
from pgolf_check.static.facts import StaticRun

CODE = "X102"


def check(facts: Facts) -> Answer:
    if facts.static is None:
        return not_applicable(CODE, "the source was not analysed")
    if facts.static.stopped:
        return failed(CODE, [_unscored(facts, facts.static.stopped)])
    return failed(CODE, dict.fromkeys(f for run in facts.static.runs for f in _of_run(facts, run)))


def _of_run(facts: Facts, run: StaticRun) -> Iterator[Finding]:
    for step in run.unfollowed:
        trace = (step,) if run.claim is None else (step, report_step(run.claim))
        yield Finding(CODE, Witness.STATIC, Certainty.PROVEN, step.message, (step.location,), trace)
    if run.claim is None and not run.unfollowed:
        told = f"no statement that reports a score of the validation stream was reached (configuration: {run.source})"
        yield _unscored(facts, told)
    elif run.claim is not None and not run.resolved:
        told = (
            f"the claimed score matches no logged line of this script, so its last report was judged (configuration: {run.source})"
        )
        yield _note(run.claim.location, told)


def _unscored(facts: Facts, told: str) -> Finding:
    place = Location(facts.submission.entry)
    return Finding(CODE, Witness.STATIC, Certainty.PROVEN, told, (place,), (Step(place, told),))


def _note(place: Location, told: str) -> Finding:
    return Finding(CODE, Witness.STATIC, Certainty.POSSIBLE, told, (place,), (Step(place, told),), Severity.NOTE)
