"""Special methods: what Python calls by itself on objects of the source's own classes."""

from __future__ import annotations

from pgolf_check.static.machine import Machine
from pgolf_check.static.values import NO_CONST, Bound, Class, Function, Instance, Value


def special(m: Machine, value: Value, name: str, *args: Value) -> Value:
    """The result of a special method of the source, or NO_CONST if the value has none."""
    from pgolf_check.static.calls import call

    if type(value) is not Instance or type(value.cls) is not Class:
        return NO_CONST
    method = value.cls.lookup(name)
    return call(m, Bound(method, value), args, {}) if type(method) is Function else NO_CONST


def first_of(m: Machine, value: Value, names: tuple[str, ...], *args: Value) -> Value:
    """The result of the first special method that there is."""
    for name in names:
        found = special(m, value, name, *args)
        if found is not NO_CONST:
            return found
    return NO_CONST


def as_condition(m: Machine, value: Value) -> Value:
    """What decides whether an object counts as true."""
    found = first_of(m, value, ("__bool__", "__len__"))
    return value if found is NO_CONST else found


def as_text(m: Machine, value: Value, *names: str) -> Value:
    """What an object becomes in a text."""
    for name in (*names, "__str__", "__repr__"):
        found = special(m, value, name, *(("",) if name == "__format__" else ()))
        if found is not NO_CONST:
            return found
    return value
