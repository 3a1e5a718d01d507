"""The text of a script and its bytes: UTF-8, or one byte a character where its first line says so."""

from importlib.util import decode_source
from pathlib import Path

ONE_BYTE = "#coding:l1\n"
"""The first line of a script in Latin-1."""


def encoded(script: str) -> bytes:
    """The bytes of the script's file."""
    return script.encode("latin-1" if script.startswith(ONE_BYTE) else "utf-8")


def read_script(path: Path) -> str:
    """The text of a script, as Python reads it."""
    return decode_source(path.read_bytes())
