"""C302: where evaluation makes several passes over the same tokens and trains in between, the first pass is the one reported."""

from __future__ import annotations

from pgolf_check.model import Answer
from pgolf_check.rules.facts import Facts
from pgolf_check.rules.order import decide

CODE = "C302"


def check(facts: Facts) -> Answer:
    return decide(facts, CODE)
