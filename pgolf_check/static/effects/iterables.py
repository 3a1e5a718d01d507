"""Builtins on iterables: making, walking, reducing."""

from __future__ import annotations

from collections.abc import Callable

from pgolf_check.static.effects.bounds import of_greatest, of_least
from pgolf_check.static.effects.mixtures import length, reduced
from pgolf_check.static.effects.numbers import derived
from pgolf_check.static.effects.scores import lowest, picked
from pgolf_check.static.effects.sequences import elements, iterate, summary
from pgolf_check.static.effects.signature import Args, Effect, Keywords
from pgolf_check.static.effects.special import special
from pgolf_check.static.machine import Machine
from pgolf_check.static.records import scores_of
from pgolf_check.static.values import (
    NO_CONST,
    NO_REST,
    NO_TAGS,
    Bound,
    Class,
    Data,
    Function,
    Instance,
    Mapping,
    Sequence,
    Value,
    constant,
    deps_of,
    tags_of,
)


def _range(m: Machine, args: Args, keywords: Keywords) -> Value:
    result = Instance("builtins.range")
    result.held = args
    return result


def _enumerate(m: Machine, args: Args, keywords: Keywords) -> Value:
    result = Instance("builtins.enumerate")
    result.held = (args[0], args[1] if len(args) > 1 else keywords.get("start", 0))
    return result


def _zip(m: Machine, args: Args, keywords: Keywords) -> Value:
    if all(type(a) is Sequence and a.rest is NO_REST for a in args):
        return Sequence("list", tuple(Sequence("tuple", items) for items in zip(*(a.items for a in args), strict=False)))
    result = Instance("builtins.zip")
    result.held = args
    return result


def _collect(kind: str) -> Callable[[Machine, Args, Keywords], Value]:
    def collect(m: Machine, args: Args, keywords: Keywords) -> Value:
        if not args:
            return Sequence(kind)
        value = args[0]
        if type(value) is Sequence:
            return Sequence(kind, value.items, value.rest, value.rest is not NO_REST)
        if type(value) is Instance and value.cls == "builtins.range":
            return _range_items(m, kind, value)
        if type(value) is Mapping and value.rest is NO_REST:
            return Sequence(kind, tuple(value.items))
        return Sequence(kind, (), iterate(m, value), True)

    return collect


def _range_items(m: Machine, kind: str, value: Instance) -> Value:
    bounds = [constant(v) for v in value.held]
    if all(isinstance(b, int) for b in bounds) and len(range(*bounds)) <= 64:
        return Sequence(kind, tuple(range(*bounds)))
    return Sequence(kind, (), iterate(m, value), True)


def _dict(m: Machine, args: Args, keywords: Keywords) -> Value:
    mapping = Mapping(dict(keywords))
    if args:
        source = args[0]
        if type(source) is Mapping:
            mapping.items = {**source.items, **mapping.items}
            mapping.rest = source.rest
        else:
            pair = iterate(m, source)
            mapping.rest = pair.items[1] if type(pair) is Sequence and len(pair.items) == 2 else pair
    return mapping


def _len(m: Machine, args: Args, keywords: Keywords) -> Value:
    value = args[0] if args else None
    own = special(m, value, "__len__")
    if own is not NO_CONST:
        return own
    if type(value) is Sequence and value.rest is NO_REST:
        return len(value.items)
    if type(value) is Mapping and value.rest is NO_REST:
        return len(value.items)
    if isinstance(value, (str, bytes)):
        return len(value)
    return Data(length(value), tags_of(value), scalar=True)


def _extreme(m: Machine, args: Args, keywords: Keywords, pick: Callable[..., Value]) -> Value:
    from pgolf_check.static.calls import call

    values = args if len(args) > 1 else tuple(elements(m, args[0])) if args else ()
    for value in values if "key" in keywords else ():
        call(m, keywords["key"], (value,), {})
    known = [constant(v) for v in values]
    if values and all(k is not NO_CONST and isinstance(k, (int, float)) for k in known):
        best = pick(known)
        chosen = values[known.index(best)]
        tags = NO_TAGS.union(*(tags_of(v) for v in values))
        return chosen if not tags else Data(deps_of(chosen), tags, const=best, scalar=True)
    result = derived(*values) if values else Data()
    result.scalar = True
    return result


def _min(m: Machine, args: Args, keywords: Keywords) -> Value:
    values = args if len(args) > 1 else tuple(elements(m, args[0])) if args else ()
    result = _extreme(m, args, keywords, min)
    return _bounded(lowest(m, values, result), of_least(values)) if type(result) is Data else result


def _max(m: Machine, args: Args, keywords: Keywords) -> Value:
    result = _extreme(m, args, keywords, max)
    return _bounded(result, of_greatest(args)) if type(result) is Data and len(args) > 1 else result


def _bounded(number: Data, bound: int | None) -> Data:
    """A new number with its upper bound; one that is known keeps to what it is."""
    if number.const is NO_CONST:
        number.high = bound
    return number


def _sorted(m: Machine, args: Args, keywords: Keywords) -> Value:
    from pgolf_check.static.calls import call

    value = args[0] if args else Sequence("list")
    if "key" in keywords and type(keywords["key"]) in (Function, Bound):
        call(m, keywords["key"], (iterate(m, value),), {})
    if type(value) is Sequence and value.rest is NO_REST and all(isinstance(v, (int, float, str)) for v in value.items):
        try:
            return Sequence("list", tuple(sorted(value.items)))
        except TypeError:
            pass
    if type(value) is Sequence and not value.items and value.rest is NO_REST:
        return Sequence("list")
    found = summary(value) if type(value) is Sequence else iterate(m, value)
    if len(scores_of(deps_of(found))) > 1:
        found = picked(m, "sorted", (value,), Data(deps_of(found), tags_of(found), scalar=True))
    return Sequence("list", (), found, True)


def _sum(m: Machine, args: Args, keywords: Keywords) -> Value:
    value = args[0] if args else Sequence("list")
    items = elements(m, value)
    known = [constant(v) for v in items]
    if type(value) is Sequence and value.rest is NO_REST and all(isinstance(k, (int, float)) for k in known):
        return sum(known)
    result = reduced(derived(*items, *args[1:]))
    result.scalar = True
    return result


def _map(m: Machine, args: Args, keywords: Keywords) -> Value:
    from pgolf_check.static.calls import call

    if len(args) < 2:
        return Sequence("generator")
    if len(args) == 2 and type(args[1]) is Sequence and args[1].rest is NO_REST and len(args[1].items) <= 16:
        return Sequence("generator", tuple(call(m, args[0], (v,), {}) for v in args[1].items))
    return Sequence("generator", (), call(m, args[0], tuple(iterate(m, a) for a in args[1:]), {}), True)


def _filter(m: Machine, args: Args, keywords: Keywords) -> Value:
    from pgolf_check.static.calls import call

    if len(args) == 2 and args[0] is not None:
        call(m, args[0], (iterate(m, args[1]),), {})
    return Sequence("generator", (), iterate(m, args[-1]), True) if args else Sequence("generator")


def _next(m: Machine, args: Args, keywords: Keywords) -> Value:
    from pgolf_check.static.calls import call
    from pgolf_check.static.loops import choose

    if not args:
        return Data()
    if type(args[0]) is Instance and type(args[0].cls) is Class:
        method = args[0].cls.lookup("__next__")
        if method is not NO_CONST:
            return call(m, Bound(method, args[0]), (), {})
    m.acts += 1
    return choose(iterate(m, args[0]), frozenset(m.loops[-1:]))


def _iter(m: Machine, args: Args, keywords: Keywords) -> Value:
    from pgolf_check.static.calls import call

    if len(args) == 2:
        return Sequence("generator", (), call(m, args[0], (), {}), True)
    return args[0] if args else Data()


def _any(m: Machine, args: Args, keywords: Keywords) -> Value:
    from pgolf_check.static.expressions import truth

    items = elements(m, args[0]) if args else []
    if type(args[0]) is Sequence and args[0].rest is NO_REST:
        outcomes = [truth(v) for v in items]
        if True in outcomes:
            return True
        if None not in outcomes:
            return False
    return derived(*items)


def _all(m: Machine, args: Args, keywords: Keywords) -> Value:
    from pgolf_check.static.expressions import truth

    items = elements(m, args[0]) if args else []
    if type(args[0]) is Sequence and args[0].rest is NO_REST:
        outcomes = [truth(v) for v in items]
        if False in outcomes:
            return False
        if None not in outcomes:
            return True
    return derived(*items)


BUILTINS: dict[str, Effect] = {
    "len": _len,
    "range": _range,
    "enumerate": _enumerate,
    "zip": _zip,
    "list": _collect("list"),
    "tuple": _collect("tuple"),
    "set": _collect("set"),
    "frozenset": _collect("set"),
    "dict": _dict,
    "min": _min,
    "max": _max,
    "sorted": _sorted,
    "sum": _sum,
    "map": _map,
    "filter": _filter,
    "next": _next,
    "iter": _iter,
    "any": _any,
    "all": _all,
}
