"""D104: no statistics of validation tokens that are scored later reach the weights, such as a quantiser's Hessians."""

from __future__ import annotations

from pgolf_check.model import Answer
from pgolf_check.rules.facts import Facts
from pgolf_check.rules.order import decide

CODE = "D104"


def check(facts: Facts) -> Answer:
    return decide(facts, CODE)
