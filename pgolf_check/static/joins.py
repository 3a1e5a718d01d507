"""The join of abstract values: one that stands for either of two, where branches meet."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import reduce
from itertools import groupby, takewhile
from os.path import commonprefix

from pgolf_check.static.records import union
from pgolf_check.static.values import (
    CONSTANT_TYPES,
    CONSTANTS,
    HEAP,
    NO_REST,
    Bound,
    Choice,
    Data,
    External,
    Function,
    Instance,
    Sequence,
    Value,
    deps_of,
    is_record,
    options,
    tags_of,
)

MAX_CHOICES = 6
_HEAP_TYPES = frozenset(HEAP)


def join(a: Value, b: Value) -> Value:
    """A value that stands for either."""
    if a is b:
        return a
    kind_a, kind_b = type(a), type(b)
    if kind_a in CONSTANT_TYPES and kind_b in CONSTANT_TYPES:
        if kind_a is kind_b and a == b:
            return a
        if a is None or b is None:
            return Choice((a, b))
        if kind_a is str and kind_b is str:
            return Choice((a, b))
        return Data(scalar=True)
    if is_record(a) and is_record(b) and a.cls is b.cls:
        return _join_records(a, b)
    if kind_a is Choice or kind_b is Choice or kind_a in _HEAP_TYPES or kind_b in _HEAP_TYPES or a is None or b is None:
        return _choice(a, b)
    if kind_a is Data and kind_b is Data and a.owner is not None and a.owner is b.owner:
        return a if a.leaf == b.leaf else Data(union((a.deps, b.deps)), owner=a.owner)
    if kind_a is Data and kind_b is Data and a.owner is not b.owner:
        return _choice(a, b)
    return _join_data(a, b)


def _join_records(a: Instance, b: Instance) -> Instance:
    joined = Instance(a.cls)
    for name in dict.fromkeys((*a.attrs, *b.attrs)):
        joined.attrs[name] = join(a.attrs.get(name, b.attrs.get(name)), b.attrs.get(name, a.attrs.get(name)))
    return joined


def _join_data(a: Value, b: Value) -> Data:
    bases = tuple(v for v in (a, b) if type(v) is Data and not v.scalar)
    return Data(
        union((deps_of(a), deps_of(b))),
        tags_of(a) | tags_of(b),
        bases=bases,
        tokens=any(type(v) is Data and v.tokens for v in (a, b)),
        parts=_shared_parts(a, b),
        scalar=not bases,
    )


def _shared_parts(a: Value, b: Value) -> tuple[str | None, ...] | None:
    """What two texts have in common at their beginning and end, with a hole between."""
    if type(a) is not Data or type(b) is not Data or a.parts is None or b.parts is None:
        return None
    if a.parts == b.parts:
        return a.parts
    begin = _common(a.parts, b.parts)
    left, right = a.parts[len(begin) :], b.parts[len(begin) :]
    end = _common(left[::-1], right[::-1])[::-1]
    middles = left[: len(left) - len(end)], right[: len(right) - len(end)]
    head = commonprefix([(parts[0] or "") if parts else "" for parts in middles])
    lasts = [((parts[-1] or "")[len(head) if len(parts) == 1 else 0 :]) if parts else "" for parts in middles]
    tail = commonprefix([text[::-1] for text in lasts])[::-1]
    return tuple(_without_repeats((*begin, head or None, None, tail or None, *end)))


def _common(a: tuple[str | None, ...], b: tuple[str | None, ...]) -> tuple[str | None, ...]:
    return tuple(x for x, _ in takewhile(lambda pair: pair[0] == pair[1], zip(a, b, strict=False)))


def _without_repeats(parts: Iterable[str | None]) -> Iterator[str | None]:
    """The parts with one hole where several meet."""
    return (part for part, same in groupby(parts) for part in ((part,) if part is None else same))


def _choice(a: Value, b: Value) -> Value:
    merged: list[Value] = []
    for option in (*options(a), *options(b)):
        if any(option is m or _same(option, m) for m in merged):
            continue
        merged.append(option)
    if len(merged) == 1:
        return merged[0]
    if len(merged) > MAX_CHOICES:
        return _collapse(merged)
    return Choice(tuple(merged))


def _same(a: Value, b: Value) -> bool:
    if type(a) is not type(b):
        return False
    if isinstance(a, CONSTANTS):
        return bool(a == b)
    if type(a) is External:
        return bool(a.path == b.path)
    if type(a) is Bound:
        return a.function is b.function and a.receiver is b.receiver
    if type(a) is Data:
        return (a.owner, a.deps, a.tags, a.const) == (b.owner, b.deps, b.tags, b.const) and a.owner is not None
    if type(a) is Sequence:
        return bool(a.kind == b.kind == "tuple" and a.items == b.items and a.rest is b.rest)
    return False


def _collapse(values: list[Value]) -> Value:
    """Too many alternatives: keep the objects that carry behaviour, melt the rest into one Data; tuples of one length are joined item by item."""
    if (
        all(type(v) is Sequence and v.kind == "tuple" and v.rest is NO_REST for v in values)
        and len({len(v.items) for v in values}) == 1
    ):
        return Sequence("tuple", tuple(reduce(join, items) for items in zip(*(v.items for v in values), strict=True)))
    kept = [v for v in values if type(v) in (Instance, Function, Bound)][:MAX_CHOICES]
    melted = [v for v in values if v not in kept]
    data = Data(union(deps_of(v) for v in melted), frozenset().union(*(tags_of(v) for v in melted)))
    return Choice((*kept, data)) if kept else data
