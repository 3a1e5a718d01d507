"""What to tell about a source that libcst refuses: one short clause and the place."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pgolf_check.static import ir
from pgolf_check.static.positions import CannotParse, Tokens

if TYPE_CHECKING:
    from libcst import ParserSyntaxError

_LEADING = re.compile(r"^\w+ error: (?:error at (\d+):(\d+): )?")
_LONGEST = 160
_ORDINARY = re.compile(r"\w|[-+*/%@&|^=<>.,;:~!()\[\]{}\n]|\S.")
_CLOSES = {")": "(", "]": "[", "}": "{"}


def refusal(error: ParserSyntaxError, tokens: Tokens) -> CannotParse:
    """libcst's parser names the end of the token that it refuses; its tokenizer gives no place, there the first odd token is the guess."""
    leading = _LEADING.match(error.message)
    line, column = (int(leading[1]), max(int(leading[2]), 1)) if leading and leading[1] else _oddity(tokens)
    clause = " ".join(_LEADING.sub("", error.message).split()) or "invalid syntax"
    return CannotParse(clause if len(clause) <= _LONGEST else f"{clause[:_LONGEST]} ...", line, column)


def _oddity(tokens: Tokens) -> tuple[int, int]:
    opened: list[str] = []
    for text, at in zip(tokens.texts, tokens.places, strict=True):
        if text in _CLOSES and (not opened or opened.pop() != _CLOSES[text]) or not _ORDINARY.match(text):
            return ir.place(at)
        if text in ("(", "[", "{"):
            opened.append(text)
    return 1, 1
