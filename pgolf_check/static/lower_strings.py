"""Lowering of strings: adjacent literals become one constant, f-strings a list of texts and `Hole`s."""

from __future__ import annotations

from typing import Any

import libcst as cst

from pgolf_check.static import ir, literals
from pgolf_check.static.lower_expressions import EXPRESSIONS, expression, valued
from pgolf_check.static.positions import CannotParse
from pgolf_check.static.scopes import Walk


def _simple(w: Walk, node: cst.SimpleString) -> ir.Node:
    at = w.take(node.value)
    return ir.Const(at, valued(literals.string, node.value, at))


def _formatted(w: Walk, node: Any) -> ir.Node:
    at = w.take(node.start)
    return ir.FString(at, tuple(_merged(_parts(w, node))))


def _concatenated(w: Walk, node: Any) -> ir.Node:
    pieces: list[Any] = []
    while isinstance(node, cst.ConcatenatedString):
        pieces.append(node.left)
        node = node.right
    pieces.append(node)
    lowered: list[Any] = [expression(w, piece) for piece in pieces]
    at = lowered[0].at
    if all(type(part) is ir.Const for part in lowered):
        return ir.Const(at, _joined([part.value for part in lowered], at))
    parts: list[Any] = []
    for part in lowered:
        parts += (part.value,) if type(part) is ir.Const else part.parts
    if any(isinstance(part, bytes) for part in parts):
        raise CannotParse("bytes beside an f-string", *ir.place(at))
    return ir.FString(at, tuple(_merged(parts)))


def _joined(values: list[Any], at: int) -> str | bytes:
    if len({type(value) for value in values}) > 1:
        raise CannotParse("bytes beside a string", *ir.place(at))
    joined: str | bytes = values[0][:0].join(values)
    return joined


def _parts(w: Walk, node: Any) -> list[Any]:
    raw = "r" in node.start.lower()
    parts: list[Any] = []
    for part in node.parts:
        if isinstance(part, (cst.FormattedStringText, cst.TemplatedStringText)):
            parts.append(literals.fstring_text(part.value, raw, doubled=True))
        else:
            parts += _field(w, part, raw)
    return parts


def _field(w: Walk, node: Any, raw: bool) -> list[Any]:
    """A replacement field; with `=` the text of its expression comes first."""
    before: list[Any] = []
    conversion = node.conversion or ""
    if node.equal is not None:
        before.append(_shown(node))
        if not conversion and node.format_spec is None:
            conversion = "r"
    value = expression(w, node.expression)
    spec: list[Any] = []
    for part in node.format_spec or ():
        if isinstance(part, (cst.FormattedStringText, cst.TemplatedStringText)):
            spec.append(literals.fstring_text(part.value, raw, doubled=False))
        else:
            spec += _field(w, part, raw)
    return [*before, ir.Hole(value.at, value, conversion, tuple(_merged(spec)))]


def _shown(node: Any) -> str:
    code = cst.Module([]).code_for_node
    return "".join(code(part) for part in (node.whitespace_before_expression, node.expression, node.equal))


def _merged(parts: list[Any]) -> list[Any]:
    merged: list[Any] = []
    for part in parts:
        if isinstance(part, str) and merged and isinstance(merged[-1], str):
            merged[-1] += part
        elif part != "":
            merged.append(part)
    return merged


def install() -> None:
    EXPRESSIONS[cst.SimpleString] = _simple
    EXPRESSIONS[cst.ConcatenatedString] = _concatenated
    EXPRESSIONS[cst.FormattedString] = _formatted
    EXPRESSIONS[cst.TemplatedString] = _formatted
