"""What T101 and T102 share: a logged time over a budget of the edition, and how far its log can be held against the record track."""

from __future__ import annotations

from collections.abc import Sequence

from pgolf_check.model import Certainty, Finding, Location, Severity, Witness
from pgolf_check.rules.edition import Budget
from pgolf_check.rules.facts import Facts
from pgolf_check.rules.runs import LoggedRun, claims_hardware, is_aside

Timed = tuple[LoggedRun, float, Location, str]
"""A run, seconds, the place that states them, and what took them."""


def over_budget(code: str, facts: Facts, budget: Budget, timed: Sequence[Timed]) -> list[Finding]:
    """The findings for the times that exceed the budget."""
    runs = [logged for logged, *_ in timed]
    return [_finding(code, facts, budget, t, aside=is_aside(facts, t[0], runs)) for t in timed if t[1] > budget.seconds]


def _finding(code: str, facts: Facts, budget: Budget, timed: Timed, *, aside: bool) -> Finding:
    """A note within the grace and on another machine than the edition's; for review where the claim stands without the run.

    Where the log does not tell the machine, likely if the submission says that it is the edition's, else possible.
    """
    logged, seconds, place, what = timed
    machine = facts.edition.hardware
    message = f"{logged.name}: {what} took {seconds:,.1f} s, the budget is {budget.seconds:g} s on {machine.count}x {machine.gpu}"
    certainty, ceiling = Certainty.PROVEN, Severity.BLOCK
    if seconds <= budget.limit:
        message, ceiling = f"{message}; an overshoot of up to {budget.grace:g} s is accepted", Severity.NOTE
    elif logged.run.world_size is None:
        certainty = Certainty.LIKELY if claims_hardware(facts) else Certainty.POSSIBLE
        message = f"{message}; the log does not say on how many GPUs"
    elif logged.run.world_size != machine.count:
        message, ceiling = f"{message}; this run had {logged.run.world_size} GPU(s)", Severity.NOTE
    if aside and ceiling is Severity.BLOCK:
        message, ceiling = f"{message}; other runs state the claimed score", Severity.REVIEW
    return Finding(code, Witness.PAPER, certainty, message, (place,), ceiling=ceiling)
