"""What the README calls the claimed score: the heads of the table columns that show it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pgolf_check.submission.model import Submission

NUMBER = re.compile(r"\d+\.\d{3,}")
RULE = re.compile(r"[|\s:-]+")
WORD = re.compile(r"[A-Za-z0-9]+")


def headline_words(submission: Submission) -> frozenset[str]:
    """The words, in capitals, at the head of the columns of the README's tables in which the claimed score stands."""
    claim = submission.metadata.val_bpb if submission.metadata is not None else None
    if claim is None:
        return frozenset()
    heads = (head for head, cell in _cells(submission.readme) if any(_is(claim, text) for text in NUMBER.findall(cell)))
    return frozenset(word.upper() for head in heads for word in WORD.findall(head))


def _is(claim: float, text: str) -> bool:
    digits = len(text.partition(".")[2])
    return abs(float(text) - claim) <= 0.6 * 10.0**-digits


def _cells(readme: str) -> Iterator[tuple[str, str]]:
    """(head of its column, cell) of all tables."""
    heads: list[str] = []
    previous = ""
    for line in readme.splitlines():
        if "|" not in line:
            heads = []
        elif "-" in line and RULE.fullmatch(line):
            heads = _split(previous)
        elif heads:
            yield from zip(heads, _split(line), strict=False)
        previous = line


def _split(line: str) -> list[str]:
    return line.strip().strip("|").split("|")
