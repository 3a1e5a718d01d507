"""D101: the model that the claimed score was computed with was not trained on validation tokens in the first place."""

from __future__ import annotations

from pgolf_check.model import Answer
from pgolf_check.rules.facts import Facts
from pgolf_check.rules.order import decide

CODE = "D101"


def check(facts: Facts) -> Answer:
    return decide(facts, CODE)
