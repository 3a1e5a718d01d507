"""C201: no table that is read at a hash of the token being scored contributes to the claimed score."""

from __future__ import annotations

from pgolf_check.model import Answer
from pgolf_check.rules.facts import Facts
from pgolf_check.rules.mixture import decide

CODE = "C201"


def check(facts: Facts) -> Answer:
    return decide(facts, CODE)
