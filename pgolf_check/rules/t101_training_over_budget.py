"""T101: a record trains within the edition's budget on the edition's machine, one step's overshoot allowed."""

from __future__ import annotations

from pgolf_check.model import Answer, Figure
from pgolf_check.rules.answers import failed, not_analysed, not_applicable
from pgolf_check.rules.budgets import over_budget
from pgolf_check.rules.facts import Facts
from pgolf_check.rules.runs import counted_runs, is_record

CODE = "T101"


def check(facts: Facts) -> Answer:
    if not is_record(facts):
        return not_applicable(CODE, "the budget binds the record track only")
    runs = counted_runs(facts.submission)
    timed = [(r, r.run.train_seconds, r.location, "training") for r in runs if r.run.train_seconds is not None]
    if not timed:
        return not_analysed(CODE, "no log states the training time of a finished run")
    figures = [Figure("training_seconds", max(seconds for _, seconds, _, _ in timed), "s")]
    return failed(CODE, over_budget(CODE, facts, facts.edition.training, timed), figures)
