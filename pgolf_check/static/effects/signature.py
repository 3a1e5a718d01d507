"""The signature of an effect, and the effects that every package has: computing only, handing on, a fixed result."""

from __future__ import annotations

from collections.abc import Callable

from pgolf_check.static.machine import Machine
from pgolf_check.static.records import union
from pgolf_check.static.values import NO_TAGS, Data, Value, deps_of, is_const, tags_of

Args = tuple[Value, ...]
Keywords = dict[str, Value]
Effect = Callable[[Machine, Args, Keywords], Value]


def pure(m: Machine, args: Args, keywords: Keywords) -> Data:
    """The result of a function that only computes."""
    values = [v for v in (*args, *keywords.values()) if not is_const(v)]
    return Data(union([deps_of(v) for v in values]), NO_TAGS.union(*[tags_of(v) for v in values]))


def first(m: Machine, args: Args, keywords: Keywords) -> Value:
    """The first argument itself: compile, wrappers, identity."""
    return args[0] if args else Data()


def known(value: Value) -> Effect:
    return lambda m, args, keywords: value


def by_name(package: str, names: str, effect: Effect) -> dict[tuple[str, str], Effect]:
    """One effect for functions of a package wherever in it they lie."""
    return {(package, name): effect for name in names.split()}
