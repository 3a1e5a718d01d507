"""Values of literals, read without evaluating anything: numbers, strings, bytes and the text of f-strings."""

from __future__ import annotations

import re
import unicodedata

_ESCAPE = re.compile(r"\\(\n|[\\'\"abfnrtv]|[0-7]{1,3}|x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|N\{[^}]*\})")
_BYTES_ESCAPE = re.compile(r"\\(\n|[\\'\"abfnrtv]|[0-7]{1,3}|x[0-9a-fA-F]{2})")
_SIMPLE = {"\n": "", "\\": "\\", "'": "'", '"': '"', "a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


def integer(text: str) -> int:
    """Raises ValueError where Python does."""
    return int(text, 0) if text[:1] == "0" else int(text)


def real(text: str) -> float:
    return float(text)


def imaginary(text: str) -> complex:
    return complex(0.0, float(text[:-1]))


def string(text: str) -> str | bytes:
    """The value of a string or bytes literal. Raises ValueError for bytes beyond ASCII."""
    prefix = text[: min(i for i in (text.find("'"), text.find('"')) if i >= 0)].lower()
    quotes = 3 if text[len(prefix) : len(prefix) + 3] in ("'''", '"""') else 1
    body = text[len(prefix) + quotes : -quotes]
    if "b" in prefix:
        plain = body if "r" in prefix or "\\" not in body else _BYTES_ESCAPE.sub(_byte, body)
        if not body.isascii():
            raise ValueError("bytes can only contain ASCII literal characters")
        return plain.encode("latin-1")
    return body if "r" in prefix else unescape(body)


def unescape(body: str) -> str:
    return _ESCAPE.sub(_character, body) if "\\" in body else body


def fstring_text(body: str, raw: bool, doubled: bool) -> str:
    """Literal text of an f-string; `doubled` outside format specifications, where {{ and }} stand for one brace."""
    if doubled and ("{{" in body or "}}" in body):
        pieces = re.split(r"\{\{|\}\}", body)
        marks = re.findall(r"\{\{|\}\}", body)
        braces = [mark[0] for mark in marks] + [""]
        return "".join((piece if raw else unescape(piece)) + brace for piece, brace in zip(pieces, braces, strict=True))
    return body if raw else unescape(body)


def _character(match: re.Match[str]) -> str:
    code = match[1]
    if code in _SIMPLE:
        return _SIMPLE[code]
    try:
        if code[0] == "N":
            return unicodedata.lookup(code[2:-1])
        return chr(int(code, 8) if code[0] in "01234567" else int(code[1:], 16))
    except (KeyError, ValueError, OverflowError):
        return match[0]


def _byte(match: re.Match[str]) -> str:
    code = match[1]
    if code in _SIMPLE:
        return _SIMPLE[code]
    return chr((int(code, 8) if code[0] in "01234567" else int(code[1:], 16)) & 0xFF)
