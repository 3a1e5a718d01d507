"""C104: a parameter optimised on the context of a window is not shared with windows that overlap it."""

from __future__ import annotations

from pgolf_check.model import Answer
from pgolf_check.rules.facts import Facts
from pgolf_check.rules.order import decide

CODE = "C104"


def check(facts: Facts) -> Answer:
    return decide(facts, CODE)
