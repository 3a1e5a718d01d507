"""Splits the source that a script prints into its own log from the rest of the log.

Rulers (lines of `=`) bound it: one after it, or one on each side. A log of several runs may hold it several times.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

RULER = re.compile(r"={50,}\s*$")
CODE = re.compile(r"(?:from [\w.]+ import |import \w|def \w+\(|class \w+|@\w|    def \w+\(|        return\b|    return\b|exec\()")
OPENING = re.compile(r'(?:from [\w.]+ import |import \w|"""|\'\'\'|#!|# )')
RECORD = re.compile(
    r"\s*(?:step:\d+/\d+ |\d+/\d+ (?:val|train)_loss|stopping_early:|Serialized model|Total submission size|"
    r"final_\w+ val_loss|peak memory allocated)"
)
"""What only a run prints, at the start of a line."""

SIGNS = 3

Lines = Sequence[tuple[int, str]]


def split_source(lines: Lines) -> tuple[list[tuple[int, str]], list[str], list[int]]:
    """(lines of the log itself, embedded sources, numbers of the lines where a source was taken out)."""
    kept: list[tuple[int, str]] = []
    sources: list[str] = []
    cuts: list[int] = []
    for segment in _segments(lines):
        first, last = _source(segment)
        if first < last:
            sources.append("\n".join(line for _, line in segment[first:last]))
            cuts.append(segment[first][0])
        kept.extend(segment[:first])
        kept.extend(segment[last:])
    return kept, sources, cuts


def _segments(lines: Lines) -> list[Lines]:
    """The lines between rulers; a ruler ends its segment. Parts of one source that a ruler within it divides stay together."""
    segments: list[list[tuple[int, str]]] = [[]]
    for item in lines:
        segments[-1].append(item)
        if RULER.match(item[1]):
            segments.append([])
    return [segment for segment in segments if segment]


def _source(segment: Lines) -> tuple[int, int]:
    """(first, past the last) line of the source in a segment, its ruler not counted; equal if there is none.

    Lines that only a run prints divide the segment; the source is the part with the most signs of code.
    """
    end = len(segment) - 1 if RULER.match(segment[-1][1]) else len(segment)
    bounds = [-1, *(index for index in range(end) if RECORD.match(segment[index][1])), end]
    best, most = (end, end), 0
    for before, after in pairwise(bounds):
        signs = [index for index in range(before + 1, after) if CODE.match(segment[index][1])]
        starts = [index for index in signs if not segment[index][1].startswith(" ")]
        wrapped = any("exec(" in segment[index][1] for index in starts)
        if starts and (len(signs) >= SIGNS or wrapped) and len(signs) > most:
            best, most = (_opening(segment, before + 1, starts[0]), after), len(signs)
    return best


def _opening(segment: Lines, floor: int, first: int) -> int:
    """The line where the source begins: its first import, or the docstring or comment in front of that."""
    for index in range(floor, first):
        if OPENING.match(segment[index][1]):
            return index
    return first
