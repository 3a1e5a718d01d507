"""The lowered source of a script and what rules look up in it without an abstract run; several rules ask for the same script."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from pgolf_check.static import ir
from pgolf_check.static.cache import lower_once
from pgolf_check.static.lower import CannotParse
from pgolf_check.static.walk import bind, walk

KEPT = 8
"""Scripts whose reading is kept: those of one submission, as a rule."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A script's form, its calls, imports and texts in source order, and what its imported names stand for."""

    module: ir.Module
    calls: tuple[ir.Call, ...]
    imports: tuple[ir.Import | ir.ImportFrom, ...]
    texts: tuple[ir.Const, ...]
    bound: dict[str, str]


@lru_cache(maxsize=KEPT)
def parsed(text: str) -> ir.Module | CannotParse:
    """The compact form of a source, or why it does not parse."""
    try:
        return lower_once(text)
    except CannotParse as error:
        return error


def lowered(text: str) -> ir.Module | None:
    """The compact form of a source; None where it does not parse (P103)."""
    found = parsed(text)
    return None if isinstance(found, CannotParse) else found


@lru_cache(maxsize=KEPT)
def reading(text: str) -> Reading | None:
    """What a source holds; None where it does not parse."""
    module = lowered(text)
    if module is None:
        return None
    calls: list[ir.Call] = []
    imports: list[ir.Import | ir.ImportFrom] = []
    texts: list[ir.Const] = []
    bound: dict[str, str] = {}
    for node in walk(module):
        if isinstance(node, ir.Call):
            calls.append(node)
        elif isinstance(node, ir.Const):
            if isinstance(node.value, str):
                texts.append(node)
        elif isinstance(node, ir.Import | ir.ImportFrom):
            imports.append(node)
            bind(node, bound)
    return Reading(module, tuple(calls), tuple(imports), tuple(texts), bound)
