"""C102: no weight, gate or hint that reads the token being scored contributes to the claimed score."""

from __future__ import annotations

from pgolf_check.model import Answer
from pgolf_check.rules.facts import Facts
from pgolf_check.rules.mixture import decide

CODE = "C102"


def check(facts: Facts) -> Answer:
    return decide(facts, CODE)
