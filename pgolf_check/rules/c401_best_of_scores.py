"""C401: no choice between several scores of the same tokens that looks at the scores reaches the claimed number."""

from __future__ import annotations

from collections.abc import Iterator

from pgolf_check.model import Answer, Certainty, Finding, Step, Witness
from pgolf_check.rules.answers import failed
from pgolf_check.rules.facts import Facts
from pgolf_check.rules.order import report_step, traced_findings, undecided
from pgolf_check.static.facts import StaticRun

CODE = "C401"


def check(facts: Facts) -> Answer:
    runs = facts.static.runs if facts.static is not None else ()
    found = (*(f for run in runs for f in _of_run(run)), *traced_findings(facts, CODE))
    return failed(CODE, found) if found else undecided(facts, CODE)


def _of_run(run: StaticRun) -> Iterator[Finding]:
    if run.claim is None:
        return
    for place in run.claim.best_of:
        yield Finding(
            CODE,
            Witness.STATIC,
            Certainty.PROVEN if run.resolved else Certainty.LIKELY,
            f"the lower of several scores of the same tokens is kept, and that is what is claimed (configuration: {run.source})",
            (place,),
            (Step(place, "scores of the same tokens are compared and one of them is kept"), report_step(run.claim)),
            run.ceiling,
        )
