"""C203: no byte-level mixture and no score spread over bytes contributes to the claimed score."""

from __future__ import annotations

from pgolf_check.model import Answer
from pgolf_check.rules.facts import Facts
from pgolf_check.rules.mixture import decide

CODE = "C203"


def check(facts: Facts) -> Answer:
    return decide(facts, CODE)
