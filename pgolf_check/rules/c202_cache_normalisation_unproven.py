"""C202: a mixture behind the claimed score shows that it sums to 1."""

from __future__ import annotations

from pgolf_check.model import Answer
from pgolf_check.rules.facts import Facts
from pgolf_check.rules.mixture import decide

CODE = "C202"


def check(facts: Facts) -> Answer:
    return decide(facts, CODE)
