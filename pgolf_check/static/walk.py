"""Walks over a lowered source: every node below one, and the dotted name of a callee.

For readings of the source that need no abstract run: which library is called where, and what stands in front of what.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any

from pgolf_check.static import ir

_PLAIN = frozenset({"int", "str", "bool", "str | None", "frozenset[str]", "tuple[str, ...]"})
_KINDS = tuple(kind for kind in vars(ir).values() if isinstance(kind, type) and is_dataclass(kind))
_FIELDS: dict[type, tuple[str, ...]] = {
    kind: tuple(f.name for f in reversed(fields(kind)) if f.type not in _PLAIN and kind is not ir.Const) for kind in _KINDS
}
"""Of each kind of node or part, the fields that hold others, last one first; a literal holds none."""

_NODES = frozenset(kind for kind in _KINDS if issubclass(kind, ir.Node))


def walk(node: Any) -> Iterator[ir.Node]:
    """The node and all nodes below it, in source order, functions and classes included."""
    pending = [node]
    while pending:
        current = pending.pop()
        kind: type = type(current)
        if kind is tuple:
            pending.extend(reversed(current))
        elif kind in _FIELDS:
            if kind in _NODES:
                yield current
            for name in _FIELDS[kind]:
                pending.append(getattr(current, name))


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


def bind(statement: ir.Import | ir.ImportFrom, bound: dict[str, str]) -> None:
    """Add what the imported names stand for: {"sp": "subprocess", "run": "subprocess.run"}; relative imports are left out."""
    if isinstance(statement, ir.Import):
        for name, local, top in statement.items:
            bound[local] = name.partition(".")[0] if top else name
    elif not statement.level:
        bound.update({local: f"{statement.module}.{name}" for name, local in statement.items})


def library_name(call: ir.Call, bound: dict[str, str]) -> str:
    """The full name of the library function that is called, as its package spells it; "" for what is not imported."""
    head, dot, rest = dotted(call.func).partition(".")
    return f"{bound[head]}{dot}{rest}" if head in bound else ""
