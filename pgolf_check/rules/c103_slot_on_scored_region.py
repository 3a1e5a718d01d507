"""C103: no parameter that is made for a window is optimised on the tokens of this window that are then scored with it."""

from __future__ import annotations

from pgolf_check.model import Answer
from pgolf_check.rules.facts import Facts
from pgolf_check.rules.order import decide

CODE = "C103"


def check(facts: Facts) -> Answer:
    return decide(facts, CODE)
