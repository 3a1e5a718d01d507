"""A source as Python's own parser reads it. The latest parses are kept: unwrapping, packing and the rules ask for the same script."""

from __future__ import annotations

import ast
import warnings
from functools import lru_cache

KEPT = 2
"""Trees that are kept; one of a large script takes tens of megabytes."""


@lru_cache(maxsize=KEPT)
def syntax(text: str) -> ast.Module | None:
    """The tree of a source, not to be changed; None where it is none, or its grammar is later than this interpreter's."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def place(text: str, node: ast.stmt | ast.expr) -> tuple[int, int]:
    """(line, column) where a node of the text's tree begins, both from 1, the column in characters."""
    line = _lines(text)[node.lineno - 1].encode("utf-8", "surrogatepass")
    return node.lineno, len(line[: node.col_offset].decode("utf-8", "surrogatepass")) + 1


@lru_cache(maxsize=1)
def _lines(text: str) -> list[str]:
    return text.split("\n")
