"""C105: no adapter scores a row that has trained on tokens which were not scored before in the order of the stream."""

from __future__ import annotations

from pgolf_check.model import Answer
from pgolf_check.rules.facts import Facts
from pgolf_check.rules.order import decide

CODE = "C105"


def check(facts: Facts) -> Answer:
    return decide(facts, CODE)
