"""Hostile text made harmless for a terminal and a build log: what they would obey is shown, not sent."""

from __future__ import annotations

import re

_INVISIBLE = "\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff"
_UNSAFE = re.compile(f"[\x00-\x08\x0a-\x1f{_INVISIBLE}]")
_COMMAND = re.compile(r"(?<=##)\[|\A\s*:(?=:)")
"""What makes a line of a build log a command: `##[` anywhere, `::` at its start."""
_UNSAFE_IN_JSON = re.compile(rf"[{_INVISIBLE}]|(?<=##)\[")


def printable(text: str) -> str:
    """The text in one line, each character that a terminal or build log might obey written as its escape; tabs become spaces."""
    return _COMMAND.sub(_escaped, _UNSAFE.sub(_escaped, text.expandtabs(4)))


def safe_json(text: str) -> str:
    """A JSON text of the same value without characters that a terminal or build log might obey, nor lone surrogates."""
    return _UNSAFE_IN_JSON.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def shortened(text: str, limit: int) -> str:
    """At most `limit` characters, the last one an ellipsis if something was cut."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _escaped(match: re.Match[str]) -> str:
    return "".join(f"\\x{ord(c):02x}" if ord(c) < 256 else f"\\u{ord(c):04x}" for c in match[0])
