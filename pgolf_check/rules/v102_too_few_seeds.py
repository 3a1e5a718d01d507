"""V102: a record shows as many distinct runs as the edition asks for; runs differ by seed, or where none is printed by their scores."""

from __future__ import annotations

from pgolf_check.model import Answer, Certainty, Figure, Finding, Location, Witness
from pgolf_check.rules.answers import failed, not_applicable
from pgolf_check.rules.facts import Facts
from pgolf_check.rules.runs import is_record
from pgolf_check.submission.model import Run

CODE = "V102"


def check(facts: Facts) -> Answer:
    if not is_record(facts):
        return not_applicable(CODE, "only the record track asks for several runs")
    logs = {log.text: log for log in facts.submission.logs}.values()
    finished = [(log, run) for log in logs for run in log.runs if any(not f.diagnostic for f in run.finals)]
    distinct = {_identity(run) for _, run in finished}
    figures = [Figure("distinct_runs", len(distinct))]
    minimum = facts.edition.minimum_runs
    if len(distinct) >= minimum:
        return failed(CODE, [], figures)
    seen = ", ".join(sorted({log.path for log, _ in finished})) or "no log"
    message = f"{len(distinct)} distinct finished run(s) in {seen}; a record needs {minimum} runs with different seeds"
    places = tuple(Location(log.path, run.first_line) for log, run in finished)
    return failed(CODE, [Finding(CODE, Witness.PAPER, Certainty.PROVEN, message, places)], figures)


def _identity(run: Run) -> tuple[object, ...]:
    if run.seed is not None:
        return ("seed", run.seed)
    return tuple((f.label, f.val_bpb) for f in run.finals)
