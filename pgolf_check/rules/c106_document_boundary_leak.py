"""C106: in rows that hold several documents, no activation is carried from the end of one into the beginning of the next.

Attention that knows the beginnings makes the documents of a row independent; a gate that mixes in the position before must know them, too.
The dynamic witness draws tokens of every second document anew, and compares the losses of those between.
"""

from __future__ import annotations

from pgolf_check.model import Answer, Certainty, Mixture
from pgolf_check.rules.facts import Facts
from pgolf_check.rules.redrawn import with_changes
from pgolf_check.rules.ways import Traces, decide

CODE = "C106"


def check(facts: Facts) -> Answer:
    decided = decide(facts, CODE, _carried)
    crossed = facts.dynamic.crossed if facts.dynamic is not None else None
    if crossed is None or not crossed.documents:
        return decided
    told = (
        f"losses of {crossed.documents} of {crossed.compared} documents change with the last tokens of the document before, at whose "
        "end attention stops (seen in runs)"
    )
    return with_changes(decided, crossed.score, crossed.text, told)


def _carried(traces: Traces) -> tuple[str, Certainty, Mixture] | None:
    if "carried" not in traces or "packed" not in traces:
        return None
    told = "each position is mixed with the one before, across the beginnings of documents at which attention stops"
    return told, Certainty.LIKELY, traces["carried"][0]
