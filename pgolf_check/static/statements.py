"""Abstract execution of statements.

`run_block` executes statements in order and says how the block ends. A branch on an unknown condition runs both sides, each from the
same heap, and joins them; a side that leaves (return, break, continue) has its writes kept apart until the place where it arrives.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import Any

from pgolf_check.static import ir
from pgolf_check.static.calls import define_class, define_function, import_from, import_modules
from pgolf_check.static.effects.attributes import set_attribute
from pgolf_check.static.effects.scores import choice_between, marked
from pgolf_check.static.effects.sequences import unpack
from pgolf_check.static.effects.spaces import asks
from pgolf_check.static.effects.special import as_condition, special
from pgolf_check.static.effects.subscripts import accumulate, delete_target, get_item, set_item
from pgolf_check.static.expressions import evaluate, lookup, lookup_scope, refine, truth
from pgolf_check.static.heap import Delta, joined
from pgolf_check.static.machine import Machine
from pgolf_check.static.records import scores_of
from pgolf_check.static.values import Choice, Data, Instance, Scope, Value, deps_of


class End(enum.IntEnum):
    """How a block ends."""

    NEXT = 0
    RETURN = 1
    BREAK = 2
    CONTINUE = 3
    RAISE = 4


def run_block(m: Machine, statements: tuple[ir.Node, ...], scope: Scope) -> End:
    for statement in statements:
        m.tick()
        m.at = statement.at
        end = STATEMENTS[type(statement)](m, statement, scope)
        if end:
            return end
    return End.NEXT


def assign(m: Machine, target: ir.Node, value: Value, scope: Scope) -> None:
    """Bind a value to a target of any form."""
    if isinstance(target, ir.Name):
        bind(m, target.id, value, scope)
    elif isinstance(target, ir.Attr):
        set_attribute(m, evaluate(m, target.obj, scope), target.name, value)
    elif isinstance(target, ir.Index):
        set_item(m, evaluate(m, target.obj, scope), evaluate(m, target.index, scope), value)
    elif isinstance(target, ir.Display):
        starred = next((i for i, t in enumerate(target.items) if type(t) is ir.Starred), None)
        for item, part in zip(target.items, unpack(m, value, len(target.items), starred), strict=True):
            assign(m, item, part, scope)
    elif isinstance(target, ir.Starred):
        assign(m, target.value, value, scope)


def bind(m: Machine, name: str, value: Value, scope: Scope) -> None:
    if m.choosing:
        for best in m.choosing:
            value = marked(value, best) if scores_of(deps_of(value)) else value
    m.heap.put_item(lookup_scope(scope, name).names, name, value)


def _assign(m: Machine, node: ir.Assign, scope: Scope) -> End:
    value = _configured(m, node, evaluate(m, node.value, scope), scope)
    for target in node.targets:
        assign(m, target, value, scope)
    return End.NEXT


def _configured(m: Machine, node: ir.Assign, value: Value, scope: Scope) -> Value:
    """The value that the run's log prints for a configuration attribute, in the type of its default."""
    target = node.targets[0]
    if not m.overrides or type(target) is not ir.Name or scope.instance_class is None or scope.node is not None:
        return value
    printed = m.overrides.get(target.id)
    return value if printed is None else converted(printed, value)


def converted(printed: str, default: Value) -> Value:
    """A printed configuration value as the type of the default that it replaces; the default if it cannot be one."""
    if isinstance(default, bool):
        return {"True": True, "False": False, "1": True, "0": False}.get(printed, default)
    if isinstance(default, (int, float)):
        try:
            return type(default)(float(printed))
        except (ValueError, OverflowError):
            return default
    return printed if isinstance(default, str) else default


def _annotated(m: Machine, node: ir.Annotated, scope: Scope) -> End:
    if node.value is not None:
        assign(m, node.target, evaluate(m, node.value, scope), scope)
    return End.NEXT


def _augmented(m: Machine, node: ir.AugAssign, scope: Scope) -> End:
    value = evaluate(m, node.value, scope)
    target = node.target
    if type(target) is ir.Index:
        obj, index = evaluate(m, target.obj, scope), evaluate(m, target.index, scope)
        set_item(m, obj, index, accumulate(m, get_item(m, obj, index), node.op, value, in_place=False))
        return End.NEXT
    assign(m, target, accumulate(m, evaluate(m, target, scope), node.op, value, in_place=True), scope)
    return End.NEXT


def _expression(m: Machine, node: ir.Expr, scope: Scope) -> End:
    evaluate(m, node.value, scope)
    return End.NEXT


def _if(m: Machine, node: ir.If, scope: Scope) -> End:
    test = as_condition(m, evaluate(m, node.test, scope))
    outcome = truth(test)
    if outcome is not None:
        block, other = (node.body, node.orelse) if outcome else (node.orelse, node.body)
        return run_block(m, other if _refuses(m, block) else block, scope)

    spaced = asks(test) and type(node.test) is not ir.Unary

    def side(block: tuple[ir.Node, ...], holds: bool) -> Callable[[], End]:
        def run() -> End:
            refine(m, node.test, scope, holds)
            m.spaced += spaced and holds
            end = run_block(m, block, scope)
            m.spaced -= spaced and holds
            return end

        return run

    best = choice_between(m, test)
    if best is None:
        return either(m, side(node.body, True), side(node.orelse, False))
    m.choosing.append(best)
    try:
        return either(m, side(node.body, True), side(node.orelse, False))
    finally:
        m.choosing.pop()


def _refuses(m: Machine, block: tuple[ir.Node, ...]) -> bool:
    """Whether a block only ends the run. The run that is judged went on to its report, so that it was not taken."""
    return bool(block) and type(block[-1]) is ir.Raise and m.handlers == 0


def either(m: Machine, first: Callable[[], End], second: Callable[[], End]) -> End:
    """Run both alternatives from the present heap and join what they leave."""
    m.guards.append(f"{m.path}:{ir.place(m.at)[0]}")
    with m.heap.recording() as before_first:
        end_first = first()
    after_first = m.heap.take_back(before_first)
    with m.heap.recording() as before_second:
        end_second = second()
    m.guards.pop()
    if end_first and not end_second:
        _leave(m, end_first, after_first)
        return End.NEXT
    if end_second and not end_first:
        _leave(m, end_second, m.heap.take_back(before_second))
        m.heap.redo(after_first)
        return End.NEXT
    if end_first != end_second:
        _leave(m, end_first, after_first)
        return end_second
    _join_sides(m, before_second, after_first)
    return end_first


def _join_sides(m: Machine, before_second: Delta, after_first: Delta) -> None:
    for key, (obj, name, item, before) in before_second.items():
        if key not in after_first:
            if item:
                m.heap.put_item(obj, name, joined(obj.get(name, before), before))
            else:
                m.heap.put(obj, name, joined(getattr(obj, name), before))
    m.heap.merge(after_first)


def _leave(m: Machine, end: End, delta: Delta) -> None:
    """Keep the writes of a conditional exit for the place where it arrives."""
    if end is End.RETURN and m.frames:
        m.frames[-1].returned.append(delta)
    elif end is End.BREAK and m.loop_frames:
        m.loop_frames[-1].broken.append(delta)
    elif end is End.CONTINUE and m.loop_frames:
        m.loop_frames[-1].continued.append(delta)


def _with(m: Machine, node: ir.With, scope: Scope) -> End:
    managers = []
    for context, target in node.items:
        manager = evaluate(m, context, scope)
        entered = _enter(m, manager)
        managers.append(manager)
        if target is not None:
            assign(m, target, entered, scope)
    end = run_block(m, node.body, scope)
    for manager in reversed(managers):
        if type(manager) is Instance and not isinstance(manager.cls, str):
            call_method(m, manager, "__exit__", (None, None, None))
    return end


def _enter(m: Machine, manager: Value) -> Value:
    if type(manager) is Instance and not isinstance(manager.cls, str):
        return call_method(m, manager, "__enter__", ())
    return manager


def call_method(m: Machine, receiver: Value, name: str, args: tuple[Value, ...]) -> Value:
    from pgolf_check.static.calls import call
    from pgolf_check.static.effects.attributes import get_attribute

    return call(m, get_attribute(m, receiver, name), args, {})


def _try(m: Machine, node: ir.Try, scope: Scope) -> End:
    caught = bool(node.handlers)
    m.handlers += caught
    end = run_block(m, node.body, scope)
    m.handlers -= caught
    if end is End.RAISE and caught:
        end = _handler(m, node.handlers[0], scope)
    elif all(type(s) in (ir.Import, ir.ImportFrom, ir.Pass) for s in node.body) or not end:
        end = _after_body(m, node, scope, end)
    final = run_block(m, node.final, scope)
    return final or end


def _after_body(m: Machine, node: ir.Try, scope: Scope, end: End) -> End:
    imports = all(type(s) in (ir.Import, ir.ImportFrom, ir.Pass) for s in node.body)
    if not end:
        end = run_block(m, node.orelse, scope)
    if imports:
        return end
    for handler in node.handlers:
        if end:
            break
        end = either(m, lambda handler=handler: _handler(m, handler, scope), lambda: End.NEXT)  # type: ignore[misc]
    return end


def _handler(m: Machine, handler: ir.Handler, scope: Scope) -> End:
    if handler.name:
        bind(m, handler.name, Data(), scope)
    return run_block(m, handler.body, scope)


def _return(m: Machine, node: ir.Return, scope: Scope) -> End:
    value = None if node.value is None else evaluate(m, node.value, scope)
    if m.frames:
        m.frames[-1].values.append(value)
    return End.RETURN


def _raise(m: Machine, node: ir.Raise, scope: Scope) -> End:
    if node.value is not None:
        evaluate(m, node.value, scope)
    return End.RAISE


def _function(m: Machine, node: ir.Function, scope: Scope) -> End:
    bind(m, node.name, define_function(m, node, scope), scope)
    return End.NEXT


def _class(m: Machine, node: ir.Class, scope: Scope) -> End:
    bind(m, node.name, define_class(m, node, scope, run_block), scope)
    return End.NEXT


def _import(m: Machine, node: ir.Import, scope: Scope) -> End:
    for name, value in import_modules(m, node):
        bind(m, name, value, scope)
    return End.NEXT


def _import_from(m: Machine, node: ir.ImportFrom, scope: Scope) -> End:
    for name, value in import_from(m, node):
        bind(m, name, value, scope)
    return End.NEXT


def _delete(m: Machine, node: ir.Delete, scope: Scope) -> End:
    for target in node.targets:
        if type(target) is ir.Index:
            delete_target(m, evaluate(m, target.obj, scope), evaluate(m, target.index, scope))
        elif type(target) is ir.Name:
            special(m, lookup(scope, target.id), "__del__")
    return End.NEXT


def _assert(m: Machine, node: ir.Assert, scope: Scope) -> End:
    evaluate(m, node.test, scope)
    return End.NEXT


def _match(m: Machine, node: ir.Match, scope: Scope) -> End:
    subject = evaluate(m, node.subject, scope)

    def run_from(index: int) -> End:
        if index == len(node.cases):
            return End.NEXT
        case = node.cases[index]
        fits = _fits(m, subject, case, scope)
        if fits is False:
            return run_from(index + 1)
        if fits is True:
            return _case(m, subject, case, scope)
        return either(m, lambda: _case(m, subject, case, scope), lambda: run_from(index + 1))

    return run_from(0)


def _fits(m: Machine, subject: Value, case: ir.Case, scope: Scope) -> bool | None:
    if case.guard is not None:
        return None
    if not case.values:
        return True if not case.names or len(case.names) == 1 else None
    values = [evaluate(m, v, scope) for v in case.values]
    if type(subject) in (Data, Choice) or any(type(v) in (Data, Choice) for v in values):
        return None
    return any(type(v) is type(subject) and v == subject for v in values)


def _case(m: Machine, subject: Value, case: ir.Case, scope: Scope) -> End:
    for name in case.names:
        bind(m, name, subject if len(case.names) == 1 else Data(), scope)
    if case.guard is not None:
        as_condition(m, evaluate(m, case.guard, scope))
    return run_block(m, case.body, scope)


def _for(m: Machine, node: ir.For, scope: Scope) -> End:
    from pgolf_check.static.loops import run_for

    return run_for(m, node, scope)


def _while(m: Machine, node: ir.While, scope: Scope) -> End:
    from pgolf_check.static.loops import run_while

    return run_while(m, node, scope)


STATEMENTS: dict[type, Callable[[Machine, Any, Scope], End]] = {
    ir.Assign: _assign,
    ir.Annotated: _annotated,
    ir.AugAssign: _augmented,
    ir.Expr: _expression,
    ir.If: _if,
    ir.For: _for,
    ir.While: _while,
    ir.With: _with,
    ir.Try: _try,
    ir.Return: _return,
    ir.Raise: _raise,
    ir.Break: lambda m, node, scope: End.BREAK,
    ir.Continue: lambda m, node, scope: End.CONTINUE,
    ir.Pass: lambda m, node, scope: End.NEXT,
    ir.Function: _function,
    ir.Class: _class,
    ir.Import: _import,
    ir.ImportFrom: _import_from,
    ir.Delete: _delete,
    ir.Assert: _assert,
    ir.Match: _match,
}
