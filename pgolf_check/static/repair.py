"""A second form of sources that Python accepts and libcst does not; its tokens are those of the original, so places stay right.

Known cases: keywords that touch a number, a string or a bracket (`1if x else"a"`, in minified sources), and a block whose first line holds
nothing but a continuation mark.
"""

from __future__ import annotations

import keyword
import re

from pgolf_check.static.positions import Tokens

_BEFORE = frozenset("'\")]}.")
_AFTER = frozenset("'\"([{.-+~*0123456789")
_EMPTY_CONTINUATION = re.compile(r"(?m)^([ \t\f]*)(?:\\\n[ \t\f]*)+")


def spaced(tokens: Tokens) -> str:
    """The source with a blank between every keyword and what it touches, and without empty continuation lines."""
    text, done, previous = tokens.text, 0, ""
    pieces: list[str] = []
    for word, start in zip(tokens.texts, tokens.starts, strict=True):
        gap = text[done:start]
        pieces.append(_EMPTY_CONTINUATION.sub(r"\1", gap) if previous == "\n" else gap)
        done, previous = start, word
        if not keyword.iskeyword(word):
            continue
        done += len(word)
        before, after = text[start - 1 : start], text[done : done + 1]
        pieces.append(" " * (before in _BEFORE or before.isalnum()) + word + " " * (after in _AFTER))
    return "".join((*pieces, text[done:]))
