"""C402: tokens that were scored and reported are not scored again for the claim by a state that has seen them since."""

from __future__ import annotations

from pgolf_check.model import Answer
from pgolf_check.rules.facts import Facts
from pgolf_check.rules.order import decide

CODE = "C402"


def check(facts: Facts) -> Answer:
    return decide(facts, CODE)
