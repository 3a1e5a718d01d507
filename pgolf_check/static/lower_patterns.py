"""Lowering of `match` statements: the literals that a case tests, the names that it binds.

A pattern that tests the shape of its subject (class, sequence, mapping) cannot be told by literals: such a case gets the guard True, so that
whether it fits stays open.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import libcst as cst

from pgolf_check.static import ir
from pgolf_check.static.lower_expressions import dotted, expression, identifier, test
from pgolf_check.static.scopes import Walk


class _Found:
    """What one pattern tests and binds, in source order."""

    def __init__(self) -> None:
        self.values: list[ir.Node] = []
        self.names: list[str] = []
        self.shaped = False
        self.irrefutable = False


def match_statement(w: Walk, node: cst.Match, block: Callable[[Walk, Any], tuple[ir.Node, ...]]) -> ir.Node:
    at = w.line()
    w.take("match")
    subject = expression(w, node.subject)
    return ir.Match(at, subject, tuple([_case(w, case, block) for case in node.cases]))


def _case(w: Walk, node: cst.MatchCase, block: Callable[[Walk, Any], tuple[ir.Node, ...]]) -> ir.Case:
    at = w.line()
    w.take("case")
    found = _Found()
    _pattern(w, node.pattern, found)
    guard: ir.Node | None = None
    if node.guard is not None:
        w.take("if")
        guard = test(w, node.guard)
    elif found.shaped:
        guard = ir.Const(at, True)
    w.scope.bound.update(found.names)
    values = () if found.irrefutable or found.shaped else tuple(found.values)
    return ir.Case(values, tuple(dict.fromkeys(found.names)), guard, block(w, node.body))


def _pattern(w: Walk, node: Any, found: _Found) -> None:
    if isinstance(node, (cst.MatchValue, cst.MatchSingleton)):
        found.values.append(expression(w, node.value))
    elif isinstance(node, cst.MatchAs):
        _as(w, node, found)
    elif isinstance(node, cst.MatchOr):
        for option in node.patterns:
            _pattern(w, option.pattern, found)
    else:
        found.shaped = True
        _SHAPES[type(node)](w, node, found)


def _as(w: Walk, node: cst.MatchAs, found: _Found) -> None:
    if node.pattern is None:
        found.irrefutable = True
        if node.name is None:
            w.take("_")
    else:
        _pattern(w, node.pattern, found)
        w.take("as")
    if node.name is not None:
        found.names.append(identifier(w, node.name))


def _sequence(w: Walk, node: Any, found: _Found) -> None:
    for part in node.patterns:
        if isinstance(part, cst.MatchStar):
            w.take("*")
            found.names.append(identifier(w, part.name)) if part.name is not None else w.take("_")
        else:
            _pattern(w, part.value, found)


def _mapping(w: Walk, node: cst.MatchMapping, found: _Found) -> None:
    for part in node.elements:
        expression(w, part.key)
        _pattern(w, part.pattern, found)
    if node.rest is not None:
        w.take("**")
        found.names.append(identifier(w, node.rest))


def _class(w: Walk, node: cst.MatchClass, found: _Found) -> None:
    dotted(w, node.cls)
    for part in node.patterns:
        _pattern(w, part.value, found)
    for keyword in node.kwds:
        identifier(w, keyword.key)
        _pattern(w, keyword.pattern, found)


_SHAPES: dict[type, Callable[[Walk, Any, _Found], None]] = {
    cst.MatchList: _sequence,
    cst.MatchTuple: _sequence,
    cst.MatchMapping: _mapping,
    cst.MatchClass: _class,
}
