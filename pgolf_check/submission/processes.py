"""Whether a source may start a process, told from its text; a start of a tool that is named and reads no network does not count."""

from __future__ import annotations

import re
from collections.abc import Iterator

STARTS = ("subprocess", "os.exec", "os.system", "spawn")
IMPORT = re.compile(r"[ \t]*import [\w., \t]+$", re.MULTILINE)
RENAMED = re.compile(r"\s+as\b")
HARMLESS = re.compile(
    r"subprocess\.(?:(?:PIPE|DEVNULL|STDOUT|CalledProcessError|TimeoutExpired|SubprocessError)\b|"
    r"(?:run|call|check_call|check_output|Popen)\(\s*\[\s*[\"'](?:nvidia-smi|lrzip|xz|zstd)[\"']\s*[,\]])"
)
"""What starts no Python although it speaks of processes: constants, and tools by their names."""


def may_start(text: str) -> bool:
    """Whether a text may start a process other than a harmless one."""
    return any(not _harmless(text, place, place + len(word)) for word in STARTS for place in places(text, word))


def places(text: str, word: str) -> Iterator[int]:
    """Where a word stands in a text."""
    place = text.find(word)
    while place >= 0:
        yield place
        place = text.find(word, place + 1)


def _harmless(text: str, place: int, end: int) -> bool:
    if IMPORT.match(text, text.rfind("\n", 0, place) + 1):
        return not RENAMED.match(text, end)
    return HARMLESS.match(text, place) is not None
