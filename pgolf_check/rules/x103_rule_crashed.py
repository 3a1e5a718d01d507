"""X103: an internal error of the checker. The verdict adds its findings when a rule or a witness stops; nothing else breaks it."""

from __future__ import annotations

from pgolf_check.model import Answer
from pgolf_check.rules.answers import passed
from pgolf_check.rules.facts import Facts

CODE = "X103"


def check(facts: Facts) -> Answer:
    return passed(CODE)
