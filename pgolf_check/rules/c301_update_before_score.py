"""C301: no state that a claimed score was computed with has seen the tokens before they were scored."""

from __future__ import annotations

from pgolf_check.model import Answer
from pgolf_check.rules.facts import Facts
from pgolf_check.rules.order import decide

CODE = "C301"


def check(facts: Facts) -> Answer:
    return decide(facts, CODE)
