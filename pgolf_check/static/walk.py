"""Walks over a lowered source: every node below one, and the dotted name of a callee.

For readings of the source that need no abstract run: which library is called where, and what stands in front of what.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from functools import cache
from typing import Any

from pgolf_check.static import ir

_PARTS = (ir.Node, ir.Arg, ir.Clause, ir.Param, ir.Case, ir.Module)


def walk(node: Any) -> Iterator[ir.Node]:
    """The node and all nodes below it, in source order, functions and classes included."""
    pending = [node]
    while pending:
        current = pending.pop()
        if isinstance(current, ir.Node):
            yield current
        if isinstance(current, _PARTS):
            kind: type = type(current)
            pending.extend(getattr(current, name) for name in reversed(_field_names(kind)))
        elif isinstance(current, tuple):
            pending.extend(reversed(current))


@cache
def _field_names(kind: type) -> tuple[str, ...]:
    return tuple(f.name for f in fields(kind) if f.name != "at")


def calls(node: Any) -> Iterator[ir.Call]:
    """The calls in a node, in source order."""
    return (found for found in walk(node) if isinstance(found, ir.Call))


def dotted(node: ir.Node) -> str:
    """`a.b.c` of a name or attribute chain; "" for anything else."""
    parts: list[str] = []
    while isinstance(node, ir.Attr):
        parts.append(node.name)
        node = node.obj
    return ".".join([node.id, *reversed(parts)]) if isinstance(node, ir.Name) else ""


def bound_names(module: ir.Module) -> dict[str, str]:
    """What each imported name stands for: {"sp": "subprocess", "run": "subprocess.run"}; imports anywhere in the file."""
    found: dict[str, str] = {}
    for node in walk(module):
        if isinstance(node, ir.Import):
            for name, bound, top in node.items:
                found[bound] = name.partition(".")[0] if top else name
        elif isinstance(node, ir.ImportFrom) and not node.level:
            found.update({bound: f"{node.module}.{name}" for name, bound in node.items})
    return found


def library_name(call: ir.Call, bound: dict[str, str]) -> str:
    """The full name of the library function that is called, as its package spells it; "" for what is not imported."""
    head, dot, rest = dotted(call.func).partition(".")
    return f"{bound[head]}{dot}{rest}" if head in bound else ""
