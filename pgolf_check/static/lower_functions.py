"""Lowering of what has a scope of its own within an expression: lambdas and comprehensions; and of the parameters of functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import libcst as cst

from pgolf_check.static import ir
from pgolf_check.static.lower_expressions import EXPRESSIONS, expression, identifier, target, test
from pgolf_check.static.scopes import Scope, Walk


def _generator(w: Walk, node: cst.GeneratorExp) -> ir.Node:
    at = w.begin(len(node.lpar))
    return ir.Comprehension(at, "generator", expression(w, node.elt), None, _clauses(w, node.for_in))


def _comprehension(opening: str, kind: str) -> Callable[[Walk, Any], ir.Node]:
    def lowered(w: Walk, node: Any) -> ir.Node:
        at = w.take(opening)
        return ir.Comprehension(at, kind, expression(w, node.elt), None, _clauses(w, node.for_in))

    return lowered


def _dict_comprehension(w: Walk, node: cst.DictComp) -> ir.Node:
    at = w.take("{")
    key = expression(w, node.key)
    w.take(":")
    return ir.Comprehension(at, "dict", expression(w, node.value), key, _clauses(w, node.for_in))


def _starred_dict_comprehension(w: Walk, node: Any) -> ir.Node:
    at = w.take("{")
    w.take("**")
    return ir.Comprehension(at, "dict", expression(w, node.value), None, _clauses(w, node.for_in))


def _clauses(w: Walk, node: cst.CompFor | None) -> tuple[ir.Clause, ...]:
    clauses = []
    while node is not None:
        w.take("for")
        goal = target(w, node.target, set())
        w.take("in")
        source = expression(w, node.iter)
        conditions = []
        for condition in node.ifs:
            w.take("if")
            conditions.append(test(w, condition.test))
        clauses.append(ir.Clause(goal, source, tuple(conditions)))
        node = node.inner_for_in
    return tuple(clauses)


def _lambda(w: Walk, node: cst.Lambda) -> ir.Node:
    at = w.take("lambda")
    outer, w.scope = w.scope, Scope()
    inner = w.scope
    params = parameters(w, node.params, inner, outer)
    w.take(":")
    body = expression(w, node.body)
    w.scope = outer
    empty: frozenset[str] = frozenset()
    returned = (ir.Return(body.at, body),)
    return ir.Lambda(at, ir.Function(at, "<lambda>", params, returned, (), inner.locals(), empty, empty, inner.generator))


def parameters(w: Walk, node: cst.Parameters, inner: Scope, outer: Scope) -> tuple[ir.Param, ...]:
    """Parameters in source order, bound in `inner`; their defaults belong to `outer`. Annotations are passed over."""
    groups: list[tuple[Any, str]] = [(p, "positional") for p in (*node.posonly_params, *node.params)]
    if isinstance(node.star_arg, cst.Param):
        groups.append((node.star_arg, "*"))
    groups += [(p, "keyword") for p in node.kwonly_params]
    if node.star_kwarg is not None:
        groups.append((node.star_kwarg, "**"))
    w.scope = outer
    params = []
    for param, kind in groups:
        if kind[0] == "*":
            w.take(kind)
        name = identifier(w, param.name)
        inner.bound.add(name)
        if param.annotation is not None:
            annotation(w, param.annotation)
        params.append(ir.Param(name, kind, None if param.default is None else expression(w, param.default)))
    w.scope = inner
    return tuple(params)


def annotation(w: Walk, node: cst.Annotation) -> ir.Node:
    w.take(":")
    if isinstance(node.annotation, cst.StarredElement):
        w.take("*")
        return expression(w, node.annotation.value)
    return expression(w, node.annotation)


def install() -> None:
    EXPRESSIONS[cst.GeneratorExp] = _generator
    EXPRESSIONS[cst.ListComp] = _comprehension("[", "list")
    EXPRESSIONS[cst.SetComp] = _comprehension("{", "set")
    EXPRESSIONS[cst.DictComp] = _dict_comprehension
    EXPRESSIONS[cst.Lambda] = _lambda
    if hasattr(cst, "StarredDictComp"):
        EXPRESSIONS[cst.StarredDictComp] = _starred_dict_comprehension
