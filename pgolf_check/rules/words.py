"""The words of a source, found without parsing it: what holds none of the words that a rule looks for need not be lowered.

Words of comments are among them, and every word of a name or a literal is: escapes are read, and literals that Python joins are joined.
"""

from __future__ import annotations

import re
from functools import lru_cache

KEPT = 8
"""Sources whose plain form is kept: those of one submission, as a rule."""
ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{1,3})|N\{([^{}\n]{1,99})\}|\n)")
WORD = re.compile(r"\w+")
BETWEEN = re.compile(r"[\"'](?:\s|\\\n|#[^\n]*\n)*[rRbBuUfF]{0,2}[\"']")
"""What stands between two literals that are one text."""


@lru_cache(maxsize=KEPT)
def forms(text: str) -> tuple[str, str]:
    """The source as written, and with its escapes read and adjacent literals joined."""
    return text, BETWEEN.sub("", ESCAPE.sub(_character, text) if "\\" in text else text)


@lru_cache(maxsize=KEPT)
def words(text: str) -> frozenset[str]:
    """The runs of letters, digits and underscores in both forms."""
    return frozenset(WORD.findall("\n".join(forms(text))))


def _character(escape: re.Match[str]) -> str:
    import unicodedata

    two, four, eight, octal, name = escape.groups()
    try:
        if name:
            return unicodedata.lookup(name)
        digits = two or four or eight
        return chr(int(digits, 16) if digits else int(octal, 8)) if digits or octal else ""
    except (KeyError, ValueError, OverflowError):
        return escape[0]
