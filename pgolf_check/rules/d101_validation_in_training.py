"""D101: the model that the claimed score was computed with was not trained on validation tokens in the first place.

The source shows which shards are trained on, by their names; a command that gives validation shards the name of training shards, a log that
prints validation shards as its training files, and a README that says so show it too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from pgolf_check.model import Answer, Certainty, Finding, Location, Severity, Step, Witness
from pgolf_check.rules.answers import failed, not_applicable
from pgolf_check.rules.facts import Facts
from pgolf_check.rules.order import decide
from pgolf_check.rules.runs import counted_runs
from pgolf_check.static.effects.files import stream_of
from pgolf_check.submission.text import decode

CODE = "D101"
RENAMING = re.compile(
    r"(?:^|[;&|]|\bdo\b)\s*(?:\$ )?(?:sudo )?(?:ln|cp|mv|rsync|install)(?: -\S+)* ([^\s;&|]+) ([^\s;&|]+)(?=\s*(?:$|[;&|]))"
)
LINE = 1000
ADMISSION = re.compile(
    r"\b(?:train(?:ed|ing|s)?|memori[sz]\w+)\b[^.,\n]{0,40}\bon\b[^.,\n]{0,25}(?:fineweb_val_|\bval(?:idation)? (?:shard|split|set|data)\b)",
    re.IGNORECASE,
)
OTHER_MEANING = re.compile(r"test[- ]time|\bTTT\b|eval|scored|graded|\bnever\b|\bnot?\b|\bwithout\b|n't\b", re.IGNORECASE)
"""Words of sentences that speak of evaluation, or deny it."""
TRAINING = ("train_files", "train_pattern", "train_glob")
"""Settings, as logs print them, that hold the glob of the training shards."""


def check(facts: Facts) -> Answer:
    found = (*_renamed(facts), *_logged(facts), *_admitted(facts))
    if found:
        return failed(CODE, found)
    decided = decide(facts, CODE)
    if facts.static is None and not decided.findings:
        return not_applicable(CODE, "no command renames data, no log trains on it, and the source was not analysed")
    return decided


def _renamed(facts: Facts) -> Iterator[Finding]:
    """Commands of the README and of run scripts that lay validation shards where training shards are read."""
    for file in facts.submission.files:
        if file.data is None or not file.path.lower().endswith((".md", ".sh", ".bash", ".txt")):
            continue
        for number, line in enumerate(decode(file.data)[0].split("\n"), 1):
            renamings = RENAMING.findall(line[:LINE])
            if any(stream_of(old) == "val" and stream_of(new) == "train" for old, new in renamings):
                place = Location(file.path, number)
                told = "validation shards are given the name of training shards, so that the script trains on them"
                yield Finding(CODE, Witness.PAPER, Certainty.PROVEN, told, (place,), (Step(place, line.strip()),))


def _admitted(facts: Facts) -> Iterator[Finding]:
    """Sentences of the README that say that the model was trained on validation data."""
    for file in facts.submission.files:
        if file.data is None or not file.path.lower().endswith("readme.md"):
            continue
        for number, line in enumerate(decode(file.data)[0].split("\n"), 1):
            for sentence in re.split(r"(?<=[.!?]) ", line[:LINE]):
                if ADMISSION.search(sentence) and not OTHER_MEANING.search(sentence):
                    place = Location(file.path, number)
                    told = "the README says that the model was trained on validation data"
                    yield Finding(CODE, Witness.PAPER, Certainty.LIKELY, told, (place,), (Step(place, sentence.strip()),))


def _logged(facts: Facts) -> Iterator[Finding]:
    """Runs whose training files, as their logs print them, are validation shards."""
    for logged in counted_runs(facts.submission):
        for value in (logged.run.config.get(name, "") for name in TRAINING):
            if stream_of(value) == "val":
                told, ceiling = f"{logged.name} was trained on {value}", Severity.BLOCK if logged.claimed else Severity.REVIEW
                yield Finding(CODE, Witness.PAPER, Certainty.PROVEN, told, (logged.location,), ceiling=ceiling)
