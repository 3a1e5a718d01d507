"""D101: the model that the claimed score was computed with was not trained on validation tokens in the first place.

The source shows which shards are trained on, by their names; a command that gives validation shards the name of training shards shows it too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from pgolf_check.model import Answer, Certainty, Finding, Location, Step, Witness
from pgolf_check.rules.answers import failed, not_applicable
from pgolf_check.rules.facts import Facts
from pgolf_check.rules.order import decide
from pgolf_check.static.effects.files import stream_of
from pgolf_check.submission.text import decode

CODE = "D101"
RENAMING = re.compile(r"\s*(?:\$ )?(?:sudo )?(?:ln|cp|mv|rsync|install)(?: -\S+)* (\S+) (\S+)\s*$")
LINE = 1000


def check(facts: Facts) -> Answer:
    renamed = tuple(_renamed(facts))
    if renamed:
        return failed(CODE, renamed)
    if facts.static is None:
        return not_applicable(CODE, "no command renames data, and the source was not analysed")
    return decide(facts, CODE)


def _renamed(facts: Facts) -> Iterator[Finding]:
    """Commands of the README and of run scripts that lay validation shards where training shards are read."""
    for file in facts.submission.files:
        if file.data is None or not file.path.lower().endswith((".md", ".sh", ".bash", ".txt")):
            continue
        for number, line in enumerate(decode(file.data)[0].split("\n"), 1):
            found = RENAMING.match(line[:LINE])
            if found and stream_of(found[1]) == "val" and stream_of(found[2]) == "train":
                place = Location(file.path, number)
                told = "validation shards are given the name of training shards, so that the script trains on them"
                yield Finding(CODE, Witness.PAPER, Certainty.PROVEN, told, (place,), (Step(place, line.strip()),))
