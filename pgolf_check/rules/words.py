"""The words of a source, found without parsing it: what holds none of the words that a rule looks for need not be lowered.

Words of comments are among them, and every word of a name or a literal is: escapes are read, and where two literals that Python joins may
share a word, the source may hold any.
"""

from __future__ import annotations

import re
from collections.abc import Set
from functools import lru_cache

KEPT = 8
"""Sources whose words are kept: those of one submission, as a rule."""
WORD = re.compile(r"\w+")
ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{1,3})|N\{([^{}\n]{1,99})\}|\n)")
SHARED = re.compile(r"\w[\"'](?:[\s\"'\\]|#[^\n]*\n|[rRbBuUfF]{1,2}(?=[\"']))*[\"']\w")
"""A word that ends with a literal, and one that begins with the next."""


def may_hold(text: str, wanted: Set[str]) -> bool:
    """Whether a name or a text of the source may hold one of these words."""
    return _may_share(text) or not words(text).isdisjoint(wanted)


@lru_cache(maxsize=KEPT)
def forms(text: str) -> tuple[str, str]:
    """The source as written, and with its escapes read."""
    return text, ESCAPE.sub(_character, text) if "\\" in text else text


@lru_cache(maxsize=KEPT)
def words(text: str) -> frozenset[str]:
    """The runs of letters, digits and underscores in both forms."""
    return frozenset(word for form in dict.fromkeys(forms(text)) for word in WORD.findall(form))


@lru_cache(maxsize=KEPT)
def _may_share(text: str) -> bool:
    return any(SHARED.search(form) for form in dict.fromkeys(forms(text)))


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
