"""T102: no single evaluation of a record, nor its logged total, takes longer than the edition's budget on the edition's machine.

The final lines of one run are alternatives (round trip, sliding window, test-time training) and are never summed.
"""

from __future__ import annotations

from pgolf_check.model import Answer, Figure, Location
from pgolf_check.rules.answers import failed, not_analysed, not_applicable
from pgolf_check.rules.budgets import over_budget
from pgolf_check.rules.facts import Facts
from pgolf_check.rules.runs import LoggedRun, counted_runs, is_record

CODE = "T102"


def check(facts: Facts) -> Answer:
    if not is_record(facts):
        return not_applicable(CODE, "the budget binds the record track only")
    runs = [(r, _evaluations(r)) for r in counted_runs(facts.submission)]
    timed = [(r, *max(evaluations)) for r, evaluations in runs if evaluations]
    if not timed:
        return not_analysed(CODE, "no log states how long an evaluation took")
    figures = [Figure("evaluation_seconds", max(seconds for _, seconds, _, _ in timed), "s")]
    return failed(CODE, over_budget(CODE, facts, facts.edition.evaluation, timed), figures)


def _evaluations(logged: LoggedRun) -> list[tuple[float, Location, str]]:
    """(seconds, place, what) of every evaluation that a run states."""
    found = [(f.eval_seconds, f.location, f"evaluation {f.label!r}") for f in logged.scores if f.eval_seconds is not None]
    if logged.run.total_eval_seconds is not None:
        found.append((logged.run.total_eval_seconds, Location(logged.log.path, logged.run.last_line), "all of the evaluation"))
    return found
