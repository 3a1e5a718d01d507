"""C102: no weight, gate or hint that reads the token being scored contributes to the claimed score.

The source shows such gates, and whether they are switched on where that is decided in the source; the counters of a log show it for its run.
"""

from __future__ import annotations

from dataclasses import replace

from pgolf_check.model import Answer, Certainty, Severity, Witness
from pgolf_check.rules.answers import joined, not_applicable
from pgolf_check.rules.facts import Facts
from pgolf_check.rules.hint_gates import by_gates
from pgolf_check.rules.mixture import decide

CODE = "C102"


def check(facts: Facts) -> Answer:
    by_log = by_gates(facts) if Witness.PAPER in facts.witnesses else None
    if facts.static is None:
        return by_log if by_log is not None else not_applicable(CODE, "no log counts the gates of a hint")
    by_source = decide(facts, CODE)
    if by_log is not None and not by_log.findings:
        by_source = _switched_off(by_source)
    return joined(CODE, by_log, by_source)


def _switched_off(answer: Answer) -> Answer:
    """The findings about gates that may be off are notes, because the log counts that they never opened."""
    off = [replace(f, ceiling=Severity.NOTE) if f.certainty is Certainty.POSSIBLE else f for f in answer.findings]
    return replace(answer, findings=tuple(off))
