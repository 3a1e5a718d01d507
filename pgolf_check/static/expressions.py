"""Abstract evaluation of expressions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pgolf_check.static import ir
from pgolf_check.static.calls import call, define_function
from pgolf_check.static.effects.attributes import get_attribute
from pgolf_check.static.effects.numbers import binary, compare, unary
from pgolf_check.static.effects.sequences import elements, iterate
from pgolf_check.static.effects.spaces import asks, told
from pgolf_check.static.effects.special import as_condition, as_text
from pgolf_check.static.effects.subscripts import get_item
from pgolf_check.static.effects.texts import text_of
from pgolf_check.static.joins import join
from pgolf_check.static.machine import Machine
from pgolf_check.static.records import narrowed, union
from pgolf_check.static.values import (
    CONSTANTS,
    NO_CONST,
    NO_REST,
    Choice,
    Class,
    Data,
    External,
    Function,
    Instance,
    Mapping,
    ModuleScope,
    Scope,
    Sequence,
    Value,
    constant,
    deps_of,
    is_const,
    options,
    tags_of,
)


def evaluate(m: Machine, node: ir.Node, scope: Scope) -> Value:
    if type(node) is ir.Name and node.id in scope.names:
        return scope.names[node.id]
    return EXPRESSIONS[type(node)](m, node, scope)


def truth(value: Value) -> bool | None:
    """Whether a value is true; None if that is not known."""
    known = constant(value)
    if known is not NO_CONST:
        return bool(known)
    kind = type(value)
    if kind is Choice:
        outcomes = {truth(v) for v in value.options}
        return outcomes.pop() if len(outcomes) == 1 else None
    if kind is Sequence:
        return True if value.items else (False if value.rest is NO_REST else None)
    if kind is Mapping:
        return True if value.items else (False if value.rest is NO_REST else None)
    if kind is Data:
        return True if value.low is not None and value.low > 0 else None
    if kind is Instance and isinstance(value.cls, str):
        return True if value.state is not None else None
    return True


def lookup(scope: Scope, name: str) -> Value:
    """The value of a name: local, enclosing (class bodies are skipped from inside functions), module, or NO_CONST."""
    here: Scope | None = scope
    while here is not None:
        if name in here.names and (here is scope or here.instance_class is None or here.node is not None or here.parent is None):
            return here.names[name]
        if here.node is not None and name in here.node.globals:
            return here.module.names.get(name, NO_CONST)
        here = here.parent
    return NO_CONST


def lookup_scope(scope: Scope, name: str) -> Scope:
    """The scope that an assignment to a name writes to."""
    node = scope.node
    if node is None:
        return scope
    if name in node.globals:
        return scope.module
    if name in node.nonlocals:
        outer = scope.parent
        while outer is not None:
            if name in outer.names:
                return outer
            outer = outer.parent
    return scope


IDENTITY = (("is",), ("is not",))


def refine(m: Machine, test: ir.Node, scope: Scope, holds: bool) -> None:
    """Narrow a name that was compared with None, or tested bare, to the options that fit the branch."""
    name, keep = _tested(test, scope, holds)
    if name is None:
        return
    value = lookup(scope, name)
    if type(value) is not Choice or name not in scope.names:
        return
    kept = tuple(v for v in value.options if keep(v))
    if kept and len(kept) < len(value.options):
        m.heap.put_item(scope.names, name, kept[0] if len(kept) == 1 else Choice(kept))


def _tested(test: ir.Node, scope: Scope, holds: bool) -> tuple[str | None, Callable[[Value], bool]]:
    if type(test) is ir.Unary and test.op == "not":
        return _tested(test.operand, scope, not holds)
    if type(test) is ir.Name:
        return test.id, (lambda v: truth(v) is not False) if holds else (lambda v: truth(v) is not True)
    if type(test) is ir.Compare and test.ops in IDENTITY and type(test.left) is ir.Name and _is_none(test.rights[0], scope):
        wants_none = (test.ops == ("is",)) == holds
        return test.left.id, lambda v: (v is None) == wants_none
    if type(test) is ir.Bool and test.op == "and" and holds:
        return _tested(test.values[0], scope, holds)
    return None, lambda v: True


def _is_none(node: ir.Node, scope: Scope) -> bool:
    """Whether an operand is None, or a name for it."""
    return node.value is None if type(node) is ir.Const else type(node) is ir.Name and lookup(scope, node.id) is None


def _const(m: Machine, node: ir.Const, scope: Scope) -> Value:
    return node.value


def _name(m: Machine, node: ir.Name, scope: Scope) -> Value:
    name = node.id
    if name in scope.names:
        return scope.names[name]
    value = lookup(scope, name)
    m.memory.note(scope.module, name, value)
    return External("builtins." + name) if value is NO_CONST else value


def _attribute(m: Machine, node: ir.Attr, scope: Scope) -> Value:
    value = get_attribute(m, evaluate(m, node.obj, scope), node.name)
    m.at = node.at
    return value


def _index(m: Machine, node: ir.Index, scope: Scope) -> Value:
    obj = evaluate(m, node.obj, scope)
    index = evaluate(m, node.index, scope)
    m.at = node.at
    return get_item(m, obj, index)


def _slice(m: Machine, node: ir.Slice, scope: Scope) -> Value:
    return slice(*(None if part is None else evaluate(m, part, scope) for part in (node.lower, node.upper, node.step)))


def _call(m: Machine, node: ir.Call, scope: Scope) -> Value:
    m.tick()
    func = evaluate(m, node.func, scope)
    args: list[Value] = []
    keywords: dict[str, Value] = {}
    for arg in node.args:
        value = evaluate(m, arg.value, scope)
        if arg.star == "*":
            args.extend(elements(m, value))
        elif arg.star == "**":
            keywords.update(_spread(value))
        elif arg.keyword is not None:
            keywords[arg.keyword] = value
        else:
            args.append(value)
    m.at = node.at
    if type(func) is External and func.path == "builtins.super" and not args:
        return _super(scope)
    return call(m, func, tuple(args), keywords, scope)


def _super(scope: Scope) -> Value:
    here: Scope | None = scope
    while here is not None:
        if here.node is not None and here.instance_class is not None and here.node.params:
            receiver = here.names.get(here.node.params[0].name)
            proxy = Instance("builtins.super")
            proxy.held = (here.instance_class, receiver)
            return proxy
        here = here.parent
    return Data()


def _spread(value: Value) -> dict[str, Value]:
    for option in options(value):
        if type(option) is Mapping:
            return {k: v for k, v in option.items.items() if isinstance(k, str)}
    return {}


def _unary(m: Machine, node: ir.Unary, scope: Scope) -> Value:
    operand = evaluate(m, node.operand, scope)
    if node.op == "not":
        operand = as_condition(m, operand)
        known = truth(operand)
        return Data(deps_of(operand), scalar=True) if known is None else not known
    return unary(node.op, operand)


def _binary(m: Machine, node: ir.Binary, scope: Scope) -> Value:
    left = evaluate(m, node.left, scope)
    right = evaluate(m, node.right, scope)
    m.at = node.at
    return binary(m, node.op, left, right)


def _compare(m: Machine, node: ir.Compare, scope: Scope) -> Value:
    left = evaluate(m, node.left, scope)
    result: Value = True
    for op, right_node in zip(node.ops, node.rights, strict=True):
        right = evaluate(m, right_node, scope)
        outcome = compare(m, op, left, right)
        if outcome is False:
            return False
        if outcome is not True:
            result = outcome
        left = right
    return result


def _bool(m: Machine, node: ir.Bool, scope: Scope) -> Value:
    stops = node.op == "or"
    pending: list[Value] = []
    for index, part in enumerate(node.values):
        value = evaluate(m, part, scope)
        known = truth(as_condition(m, value))
        if known is stops:
            pending.append(value)
            break
        if known is None or index == len(node.values) - 1:
            pending.append(value)
    result = pending[0]
    for value in pending[1:]:
        result = _join_truth(result, value, stops)
    return result


def _join_truth(a: Value, b: Value, stops: bool) -> Value:
    if truth(b) is None or truth(a) is None:
        if truth(b) is not None and truth(b) is not stops and is_const(b):
            return a if type(a) is Data else join(a, b)
        return join(a, b)
    return b


def _conditional(m: Machine, node: ir.IfExp, scope: Scope) -> Value:
    test = as_condition(m, evaluate(m, node.test, scope))
    known = truth(test)
    if known is not None:
        return evaluate(m, node.body if known else node.orelse, scope)
    spaced = asks(test) and type(node.test) is not ir.Unary
    m.spaced += spaced
    body = told(m, evaluate(m, node.body, scope))
    m.spaced -= spaced
    return _selected(m, test, join(body, evaluate(m, node.orelse, scope)))


def _selected(m: Machine, test: Value, chosen: Value) -> Value:
    from pgolf_check.static.effects.scores import chosen_by

    return chosen_by(m, test, chosen)


def _display(m: Machine, node: ir.Display, scope: Scope) -> Value:
    items: list[Value] = []
    rest: Value = NO_REST
    for item in node.items:
        if type(item) is ir.Starred:
            value = evaluate(m, item.value, scope)
            if type(value) is Sequence:
                items.extend(value.items)
                rest = value.rest if rest is NO_REST else rest
            else:
                rest = iterate(m, value)
        else:
            items.append(evaluate(m, item, scope))
    sequence = Sequence(node.kind, tuple(items))
    sequence.rest = rest
    return sequence


def _dict(m: Machine, node: ir.DictDisplay, scope: Scope) -> Value:
    mapping = Mapping()
    for key_node, value_node in node.items:
        value = evaluate(m, value_node, scope)
        if key_node is None:
            for option in options(value):
                if type(option) is Mapping:
                    mapping.items.update(option.items)
                    if option.rest is not NO_REST:
                        mapping.rest = option.rest if mapping.rest is NO_REST else join(mapping.rest, option.rest)
            continue
        key = evaluate(m, key_node, scope)
        if is_const(key):
            mapping.items[key] = value
        else:
            mapping.rest = value if mapping.rest is NO_REST else join(mapping.rest, value)
    return mapping


def _lambda(m: Machine, node: ir.Lambda, scope: Scope) -> Value:
    return define_function(m, node.function, scope)


def _fstring(m: Machine, node: ir.FString, scope: Scope) -> Value:
    parts: list[Value] = []
    for part in node.parts:
        if type(part) is ir.Hole:
            value = as_text(m, evaluate(m, part.value, scope), "__format__")
            spec = text_of([p if isinstance(p, str) else None for p in part.spec]) if part.spec else ""
            parts.append((value, spec if isinstance(spec, str) else ""))
        else:
            parts.append(part)
    return text_of(parts)


def _walrus(m: Machine, node: ir.Walrus, scope: Scope) -> Value:
    value = evaluate(m, node.value, scope)
    home = scope
    while home.node is None and home.parent is not None:
        home = home.parent
    m.heap.put_item(lookup_scope(home, node.name).names, node.name, value)
    return value


def _yield(m: Machine, node: ir.Yield, scope: Scope) -> Value:
    value = None if node.value is None else evaluate(m, node.value, scope)
    home: Scope | None = scope
    while home is not None and home.yields is None:
        home = home.parent
    if home is not None and home.yields is not None:
        if node.delegate:
            home.yields.append(iterate(m, value))
        else:
            home.yields.append(value)
    return Data()


def _await(m: Machine, node: ir.Await, scope: Scope) -> Value:
    return evaluate(m, node.value, scope)


def _starred(m: Machine, node: ir.Starred, scope: Scope) -> Value:
    return evaluate(m, node.value, scope)


def _comprehension(m: Machine, node: ir.Comprehension, scope: Scope) -> Value:
    from pgolf_check.static.loops import run_comprehension

    return run_comprehension(m, node, scope)


EXPRESSIONS: dict[type, Callable[[Machine, Any, Scope], Value]] = {
    ir.Const: _const,
    ir.Name: _name,
    ir.Attr: _attribute,
    ir.Index: _index,
    ir.Slice: _slice,
    ir.Call: _call,
    ir.Unary: _unary,
    ir.Binary: _binary,
    ir.Compare: _compare,
    ir.Bool: _bool,
    ir.IfExp: _conditional,
    ir.Display: _display,
    ir.DictDisplay: _dict,
    ir.Lambda: _lambda,
    ir.FString: _fstring,
    ir.Walrus: _walrus,
    ir.Yield: _yield,
    ir.Await: _await,
    ir.Starred: _starred,
    ir.Comprehension: _comprehension,
}

__all__ = [
    "CONSTANTS",
    "Class",
    "Function",
    "ModuleScope",
    "evaluate",
    "lookup",
    "lookup_scope",
    "narrowed",
    "refine",
    "tags_of",
    "truth",
    "union",
]
