"""Bytes of unknown origin become text: marks of byte order, UTF-16, Python's encoding line and foreign line ends.

Decoding never fails. Line ends become `\\n` one for one, so that line numbers are those of the file as shipped.
"""

from __future__ import annotations

import codecs
import re

MARKS = (
    (codecs.BOM_UTF8, "utf-8", "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16-le", "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16-be", "utf-16"),
)
"""(mark, codec of what follows it, name that is reported)."""

ENCODING_LINE = re.compile(rb"^[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)")
ONE_BYTE = frozenset({"ascii", "iso8859-1", "iso8859-15", "cp1252"})
"""Encodings that Python's encoding line may ask for besides UTF-8."""


def decode(data: bytes) -> tuple[str, str]:
    """(text, encoding); what cannot be decoded is replaced and the encoding named `damaged`."""
    for mark, codec, name in MARKS:
        if data.startswith(mark):
            return _lines(data[len(mark) :].decode(codec, "replace")), name
    wide = _unmarked_utf16(data)
    if wide:
        return _lines(data.decode(wide, "replace")), "utf-16"
    try:
        return _lines(data.decode("utf-8")), "utf-8"
    except UnicodeDecodeError:
        return _lines(data.decode("utf-8", "replace")), "damaged"


def decode_python(data: bytes) -> str:
    """The text of a Python source, as the interpreter would read it; also UTF-16, which it would not."""
    for line in data.split(b"\n", 2)[:2]:
        named = ENCODING_LINE.match(line)
        if named and not data.startswith(codecs.BOM_UTF8):
            codec = _known(named[1].decode("ascii", "replace"))
            if codec in ONE_BYTE:
                return _lines(data.decode(codec, "replace"), lone=True)
    return _lines(decode(data)[0], lone=True)


def _known(name: str) -> str:
    try:
        return codecs.lookup(name).name
    except LookupError:
        return ""


def _unmarked_utf16(data: bytes) -> str:
    """The codec of UTF-16 without a mark: mostly ASCII text has a zero in every other byte."""
    head = data[:400]
    if len(head) < 4 or b"\0" not in head:
        return ""
    if head[1::2].count(0) > 0.8 * len(head[1::2]) and head[::2].count(0) == 0:
        return "utf-16-le"
    if head[::2].count(0) > 0.8 * len(head[::2]) and head[1::2].count(0) == 0:
        return "utf-16-be"
    return ""


def _lines(text: str, *, lone: bool = False) -> str:
    """Line ends as `\\n`; a lone carriage return is one in a source, and moves back to the line's start in a log."""
    text = text.replace("\r\n", "\n")
    return text.replace("\r", "\n") if lone else text
