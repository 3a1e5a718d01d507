"""Lowering of statements: one function per libcst class, called in source order; every logical line is entered with `Walk.line`.

The place of a statement is its first token (`async` and `def` of a function, not its decorators).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import libcst as cst

from pgolf_check.static import ir
from pgolf_check.static.lower_expressions import BINARY, argument, dotted, expression, identifier, target, test
from pgolf_check.static.lower_functions import annotation, parameters
from pgolf_check.static.lower_patterns import match_statement
from pgolf_check.static.scopes import Scope, Walk

AUGMENTED = {getattr(cst, f"{kind.__name__}Assign"): op for kind, op in BINARY.items()}


def statements(w: Walk, nodes: Sequence[Any]) -> tuple[ir.Node, ...]:
    """The statements of a block, or of a module."""
    lowered: list[ir.Node] = []
    for node in nodes:
        kind = type(node)
        if kind is cst.SimpleStatementLine:
            _small_statements(w, node.body, w.line(), lowered)
        else:
            lowered.append(COMPOUND[kind](w, node))
    return tuple(lowered)


def block(w: Walk, node: Any) -> tuple[ir.Node, ...]:
    """The suite behind a header whose tokens were taken up to its colon."""
    if type(node) is cst.IndentedBlock:
        return statements(w, node.body)
    w.take(":")
    lowered: list[ir.Node] = []
    _small_statements(w, node.body, w.places[w.next], lowered)
    return tuple(lowered)


def _small_statements(w: Walk, nodes: Sequence[Any], at: int, lowered: list[ir.Node]) -> None:
    for index, node in enumerate(nodes):
        if index:
            w.take(";")
            at = w.places[w.next]
        lowered.append(SMALL[type(node)](w, node, at))


def _expression_statement(w: Walk, node: cst.Expr, at: int) -> ir.Node:
    return ir.Expr(at, expression(w, node.value))


def _assign(w: Walk, node: cst.Assign, at: int) -> ir.Node:
    targets = tuple([target(w, part.target, w.scope.bound) for part in node.targets])
    return ir.Assign(at, targets, expression(w, node.value))


def _annotated(w: Walk, node: cst.AnnAssign, at: int) -> ir.Node:
    goal = target(w, node.target, w.scope.bound)
    note = annotation(w, node.annotation)
    return ir.Annotated(at, goal, note, None if node.value is None else expression(w, node.value))


def _augmented(w: Walk, node: cst.AugAssign, at: int) -> ir.Node:
    goal = target(w, node.target, w.scope.bound)
    op = AUGMENTED[type(node.operator)]
    w.take(op + "=")
    return ir.AugAssign(at, goal, op, expression(w, node.value))


def _return(w: Walk, node: cst.Return, at: int) -> ir.Node:
    w.take("return")
    return ir.Return(at, None if node.value is None else expression(w, node.value))


def _raise(w: Walk, node: cst.Raise, at: int) -> ir.Node:
    w.take("raise")
    raised = None if node.exc is None else expression(w, node.exc)
    if node.cause is not None:
        w.take("from")
        expression(w, node.cause.item)
    return ir.Raise(at, raised)


def _assert(w: Walk, node: cst.Assert, at: int) -> ir.Node:
    w.take("assert")
    condition = test(w, node.test)
    return ir.Assert(at, condition, None if node.msg is None else expression(w, node.msg))


def _delete(w: Walk, node: cst.Del, at: int) -> ir.Node:
    w.take("del")
    targets: list[ir.Node] = []
    pending = [target(w, node.target, w.scope.bound)]
    while pending:
        item = pending.pop()
        if isinstance(item, ir.Display):
            pending += reversed(item.items)
        else:
            targets.append(item)
    return ir.Delete(at, tuple(targets))


def _global(w: Walk, node: cst.Global, at: int) -> ir.Node:
    w.scope.globals.update([identifier(w, item.name) for item in node.names])
    return ir.Pass(at)


def _nonlocal(w: Walk, node: cst.Nonlocal, at: int) -> ir.Node:
    w.scope.nonlocals.update([identifier(w, item.name) for item in node.names])
    return ir.Pass(at)


def _import(w: Walk, node: Any, at: int) -> ir.Node:
    w.take("import")
    items = []
    for alias in node.names:
        module = dotted(w, alias.name)
        bound = _alias(w, alias) or module.split(".", 1)[0]
        items.append((module, bound, alias.asname is None))
        w.scope.bound.add(bound)
    return ir.Import(at, tuple(items))


def _import_from(w: Walk, node: Any, at: int) -> ir.Node:
    w.take("from")
    module = "" if node.module is None else dotted(w, node.module)
    w.take("import")
    if isinstance(node.names, cst.ImportStar):
        return ir.ImportFrom(at, module, len(node.relative), (("*", "*"),))
    items = []
    for alias in node.names:
        name = dotted(w, alias.name)
        items.append((name, _alias(w, alias) or name))
        w.scope.bound.add(items[-1][1])
    return ir.ImportFrom(at, module, len(node.relative), tuple(items))


def _alias(w: Walk, node: cst.ImportAlias) -> str | None:
    if node.asname is None:
        return None
    w.take("as")
    assert isinstance(node.asname.name, cst.Name)
    return identifier(w, node.asname.name)


def _type_alias(w: Walk, node: cst.TypeAlias, at: int) -> ir.Node:
    w.take("type")
    goal = target(w, node.name, w.scope.bound)
    _type_parameters(w, node.type_parameters)
    w.take("=")
    return ir.Assign(at, (goal,), expression(w, node.value))


def _type_parameters(w: Walk, node: cst.TypeParameters | None) -> None:
    """Passed over: the names of type parameters stand in annotations only."""
    for item in () if node is None else node.params:
        identifier(w, item.param.name)
        bound = getattr(item.param, "bound", None)
        if bound is not None:
            expression(w, bound)
        if item.default is not None:
            expression(w, item.default)


def _if(w: Walk, node: Any) -> ir.Node:
    chain = []
    word = "if"
    while isinstance(node, cst.If):
        at = w.line()
        w.take(word)
        condition = test(w, node.test)
        chain.append((at, condition, block(w, node.body)))
        node, word = node.orelse, "elif"
    rest = _else(w, node)
    for at, condition, body in reversed(chain):
        rest = (ir.If(at, condition, body, rest),)
    return rest[0]


def _else(w: Walk, node: Any) -> tuple[ir.Node, ...]:
    if node is None:
        return ()
    w.line()
    return block(w, node.body)


def _while(w: Walk, node: cst.While) -> ir.Node:
    at = w.line()
    w.take("while")
    condition = test(w, node.test)
    body = block(w, node.body)
    return ir.While(at, condition, body, _else(w, node.orelse))


def _for(w: Walk, node: cst.For) -> ir.Node:
    at = w.line()
    w.take("for")
    bound: set[str] = set()
    goal = target(w, node.target, bound)
    w.scope.bound |= bound
    w.take("in")
    source = expression(w, node.iter)
    outer, w.tested = w.tested, set()
    body = block(w, node.body)
    guarded = not bound.isdisjoint(w.tested)
    w.tested |= outer
    return ir.For(at, goal, source, body, _else(w, node.orelse), guarded)


def _with(w: Walk, node: cst.With) -> ir.Node:
    at = w.line()
    w.take("with")
    if isinstance(node.lpar, cst.LeftParen):
        w.take("(")
    items = []
    for item in node.items:
        context = expression(w, item.item)
        goal = None
        if item.asname is not None:
            w.take("as")
            goal = target(w, item.asname.name, w.scope.bound)
        items.append((context, goal))
    return ir.With(at, tuple(items), block(w, node.body))


def _try(w: Walk, node: Any) -> ir.Node:
    at = w.line()
    body = block(w, node.body)
    handlers = tuple([_handler(w, handler) for handler in node.handlers])
    orelse = _else(w, node.orelse)
    return ir.Try(at, body, handlers, orelse, _else(w, node.finalbody))


def _handler(w: Walk, node: Any) -> ir.Handler:
    at = w.line()
    w.take("except")
    if isinstance(node, cst.ExceptStarHandler):
        w.take("*")
    kind = None if node.type is None else expression(w, node.type)
    name = None
    if node.name is not None:
        w.take("as")
        name = identifier(w, node.name.name)
        w.scope.bound.add(name)
    return ir.Handler(at, kind, name, block(w, node.body))


def _function(w: Walk, node: cst.FunctionDef) -> ir.Node:
    decorators = _decorators(w, node.decorators)
    at = w.line()
    w.take("def")
    name = identifier(w, node.name)
    outer = w.scope
    outer.bound.add(name)
    _type_parameters(w, node.type_parameters)
    inner = Scope()
    params = parameters(w, node.params, inner, outer)
    if node.returns is not None:
        w.take("->")
        w.scope = outer
        expression(w, node.returns.annotation)
        w.scope = inner
    body = block(w, node.body)
    w.scope = outer
    declared = (frozenset(inner.globals), frozenset(inner.nonlocals))
    return ir.Function(at, name, params, body, decorators, inner.locals(), *declared, inner.generator, _documented(body))


def _documented(body: tuple[ir.Node, ...]) -> bool:
    first = body[0] if body else None
    return isinstance(first, ir.Expr) and isinstance(first.value, ir.Const) and isinstance(first.value.value, str)


def _class(w: Walk, node: cst.ClassDef) -> ir.Node:
    decorators = _decorators(w, node.decorators)
    at = w.line()
    w.take("class")
    name = identifier(w, node.name)
    outer = w.scope
    outer.bound.add(name)
    _type_parameters(w, node.type_parameters)
    if node.bases or node.keywords:
        w.take("(")
    bases = tuple([argument(w, arg) for arg in (*node.bases, *node.keywords)])
    w.scope = inner = Scope()
    body = block(w, node.body)
    w.scope = outer
    return ir.Class(at, name, bases, body, decorators, inner.locals())


def _decorators(w: Walk, nodes: Sequence[cst.Decorator]) -> tuple[ir.Node, ...]:
    decorators = []
    for node in nodes:
        w.line()
        w.take("@")
        decorators.append(expression(w, node.decorator))
    return tuple(decorators)


SMALL: dict[type, Callable[[Walk, Any, int], ir.Node]] = {
    cst.Expr: _expression_statement,
    cst.Assign: _assign,
    cst.AnnAssign: _annotated,
    cst.AugAssign: _augmented,
    cst.Return: _return,
    cst.Raise: _raise,
    cst.Assert: _assert,
    cst.Del: _delete,
    cst.Global: _global,
    cst.Nonlocal: _nonlocal,
    cst.Import: _import,
    cst.ImportFrom: _import_from,
    cst.TypeAlias: _type_alias,
    cst.Pass: lambda w, node, at: ir.Pass(at),
    cst.Break: lambda w, node, at: ir.Break(at),
    cst.Continue: lambda w, node, at: ir.Continue(at),
}
COMPOUND: dict[type, Callable[[Walk, Any], ir.Node]] = {
    cst.If: _if,
    cst.While: _while,
    cst.For: _for,
    cst.With: _with,
    cst.Try: _try,
    cst.TryStar: _try,
    cst.FunctionDef: _function,
    cst.ClassDef: _class,
    cst.Match: lambda w, node: match_statement(w, node, block),
}
for _lazy, _lowered in (("LazyImport", _import), ("LazyImportFrom", _import_from)):
    if hasattr(cst, _lazy):
        SMALL[getattr(cst, _lazy)] = _lowered
