"""Functions of the source that are handed to a library: it may call them, with what else it was given."""

from __future__ import annotations

from functools import reduce

from pgolf_check.static.effects.sequences import iterate, unpack
from pgolf_check.static.effects.signature import Args, Keywords, pure
from pgolf_check.static.joins import join
from pgolf_check.static.machine import Machine
from pgolf_check.static.records import NO_DEPS, union
from pgolf_check.static.values import (
    NO_REST,
    Bound,
    Choice,
    Class,
    Data,
    Function,
    Instance,
    Sequence,
    Value,
    deps_of,
    is_const,
    options,
)

ITERABLES = frozenset((Sequence, Data))


def handed_on(m: Machine, args: Args, keywords: Keywords) -> Data:
    """The result of a library function that computes, and may call the functions that it gets."""
    result = pure(m, args, keywords)
    called = [_called(m, func, args, keywords) for func in (*args, *keywords.values()) if is_callback(func)]
    if called:
        result.deps = union((result.deps, *(deps_of(value) for value in called)))
    return result


def is_callback(value: Value) -> bool:
    """Whether a value is a function of the source, bound or partly applied or not."""
    kind = type(value)
    if kind is Function:
        return True
    if kind is Bound:
        return is_callback(value.function)
    if kind is Choice:
        return any(is_callback(option) for option in value.options)
    return kind is Instance and value.cls == "functools.partial" and is_callback(value.held[0])


def _called(m: Machine, func: Value, args: Args, keywords: Keywords) -> Value:
    from pgolf_check.static.calls import call

    results = [call(m, option, _given(m, option, func, args, keywords), {}) for option in options(func) if is_callback(option)]
    return reduce(join, results)


def _given(m: Machine, option: Value, func: Value, args: Args, keywords: Keywords) -> Args:
    """What a library calls a function with: what follows it, the elements of that, the parts of an element, or anything it got."""
    least, most = _arity(option)
    named = keywords.get("args")
    if type(named) is Sequence and named.rest is NO_REST:
        return named.items
    place = next((i for i, arg in enumerate(args) if arg is func), -1)
    following = tuple(v for v in args[place + 1 :] if not is_callback(v)) if place >= 0 else ()
    elements = tuple(iterate(m, v) for v in following if type(v) in ITERABLES or (type(v) is Instance and v.cls == "builtins.zip"))
    tuples = len(elements) == 1 and least > 1 and all(type(option) is Sequence for option in options(elements[0]))
    parts = tuple(unpack(m, elements[0], least, None)) if tuples else ()
    for values in (following if not elements or _holds_state(following) else elements, elements, parts, following):
        if values and least <= len(values) <= most:
            return values
    others = [v for v in (*args, *keywords.values()) if not is_callback(v) and not is_const(v)]
    anything = iterate(m, others[0]) if len(others) == 1 and type(others[0]) in ITERABLES else _any_of(others)
    return (anything,) * least


def _holds_state(values: Args) -> bool:
    """Whether a model or another object stands among the values: then they are arguments, not collections of them."""
    return any(type(v) is Instance and type(v.cls) in (Class, str) and v.cls != "builtins.zip" for v in values)


def _any_of(values: list[Value]) -> Value:
    return reduce(join, values) if values else Data(NO_DEPS)


def _arity(func: Value) -> tuple[int, int]:
    """(fewest, most) positional arguments."""
    if type(func) is Bound:
        least, most = _arity(func.function)
        return max(least - 1, 0), most - 1
    if type(func) is Instance:
        least, most = _arity(func.held[0])
        bound = len(func.held[1].items) if type(func.held[1]) is Sequence else 0
        return max(least - bound, 0), most - bound
    positional = [p for p in func.node.params if p.kind == "positional"] if type(func) is Function else []
    starred = type(func) is Function and any(p.kind not in ("positional", "keyword") for p in func.node.params)
    return sum(p.default is None for p in positional), 99 if starred else len(positional)
