"""B102: the bytes of a token are those of its text, its leading space counted once.

The source shows a table that counts the space and a second addition of it; a log that implies too many bytes is B101.
"""

from __future__ import annotations

from pgolf_check.model import Answer
from pgolf_check.rules.facts import Facts
from pgolf_check.rules.mixture import decide

CODE = "B102"


def check(facts: Facts) -> Answer:
    return decide(facts, CODE)
