"""C303: no optimizer steps on validation tokens before these are scored, not even by a state that is thrown away afterwards.

If the state survives into a claimed score, the breach is C301.
"""

from __future__ import annotations

from collections.abc import Iterator

from pgolf_check.model import Answer, Certainty, Event, Finding, Step, Witness
from pgolf_check.rules.answers import failed
from pgolf_check.rules.facts import Facts
from pgolf_check.rules.order import overlap, released, traced_findings, undecided
from pgolf_check.static.facts import StaticRun

CODE = "C303"


def check(facts: Facts) -> Answer:
    runs = facts.static.runs if facts.static is not None else ()
    found = dict.fromkeys((*(f for run in runs for f in _of_run(run)), *traced_findings(facts, CODE)))
    return failed(CODE, found) if found else undecided(facts, CODE)


def _of_run(run: StaticRun) -> Iterator[Finding]:
    if run.claim is None:
        return
    for update in run.unused:
        scored = any(score.order < update.order and overlap(score, update) for score in run.claim.scores)
        if not scored and not any(released(report, update) for report in run.reports):
            yield _finding(run, update)


def _finding(run: StaticRun, update: Event) -> Finding:
    read = [Step(place, "validation tokens are read") for place in update.reads[:1]]
    step = Step(update.location, f"an optimizer step trains {update.state} on these tokens; no reported score is computed with it")
    return Finding(
        CODE,
        Witness.STATIC,
        Certainty.PROVEN if run.resolved else Certainty.LIKELY,
        f"a state that is thrown away is trained on validation tokens before they are scored (configuration: {run.source})",
        (update.location,),
        (*read, *update.through, step),
        run.ceiling,
    )
