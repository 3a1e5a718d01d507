"""Lists, tuples, dicts and what iterating or unpacking a value yields."""

from __future__ import annotations

from pgolf_check.static.effects.mixtures import described, is_scalar, looked_up
from pgolf_check.static.effects.streams import filled
from pgolf_check.static.joins import join
from pgolf_check.static.machine import Machine
from pgolf_check.static.records import Deps, State, has_reads, union, unmixed
from pgolf_check.static.values import (
    NO_CONST,
    NO_REST,
    NO_TAGS,
    Choice,
    Data,
    Instance,
    Mapping,
    Method,
    Sequence,
    Value,
    constant,
    deps_of,
    is_const,
    tags_of,
)


def summary(sequence: Sequence) -> Value:
    """One value that stands for any element."""
    result = sequence.rest
    for value in sequence.items:
        result = value if result is NO_REST else join(result, value)
    return Data() if result is NO_REST else result


def iterate(m: Machine, value: Value) -> Value:
    """One value that stands for any element of an iterable."""
    kind = type(value)
    if kind is Sequence:
        return summary(value)
    if kind is Mapping:
        return Data(_key_deps(value))
    if kind is Data:
        if value.owner is not None:
            return value
        return Data(value.deps, value.tags, bases=(value,) if not value.scalar else (), tokens=value.tokens, parts=None)
    if kind is Choice:
        result: Value = NO_REST
        for option in value.options:
            if option is not None:
                part = iterate(m, option)
                result = part if result is NO_REST else join(result, part)
        return Data() if result is NO_REST else result
    if kind is Instance:
        return _iterate_instance(m, value)
    return Data(deps_of(value))


def _key_deps(mapping: Mapping) -> Deps:
    return frozenset() if mapping.owner is None else frozenset((mapping.owner, *mapping.owner.seen))


def _iterate_instance(m: Machine, value: Instance) -> Value:
    from pgolf_check.static.calls import call
    from pgolf_check.static.values import Bound, Class

    if value.cls == "builtins.range":
        return Data(deps_of(value), tags_of(value.held[0]), scalar=True)
    if value.cls == "builtins.zip":
        return Sequence("tuple", tuple(iterate(m, v) for v in value.held))
    if value.cls == "builtins.enumerate":
        return Sequence("tuple", (Data(scalar=True), iterate(m, value.held[0])))
    items = value.attrs.get("__items__")
    if type(items) is Sequence:
        return summary(items)
    if type(value.cls) is Class:
        for name in ("__iter__", "__getitem__"):
            method = value.cls.lookup(name)
            if method is not NO_CONST:
                made = call(m, Bound(method, value), () if name == "__iter__" else (Data(scalar=True),), {})
                if made is value:
                    following = value.cls.lookup("__next__")
                    return call(m, Bound(following, value), (), {}) if following is not NO_CONST else Data()
                return iterate(m, made) if name == "__iter__" else made
    return Data(deps_of(value))


def elements(m: Machine, value: Value) -> list[Value]:
    """The elements of an iterable as a list; one stands for many where they are not known."""
    if type(value) is Sequence and value.rest is NO_REST:
        return list(value.items)
    if type(value) is Mapping:
        return list(value.items)
    return [iterate(m, value)]


def unpack(m: Machine, value: Value, count: int, starred: int | None) -> list[Value]:
    """The values that `count` targets get; the target at `starred` gets a list."""
    if type(value) is Choice:
        return _unpack_choice(m, value, count, starred)
    if type(value) is Sequence and value.rest is NO_REST:
        items = list(value.items)
        if starred is None and len(items) == count:
            return items
        if starred is not None and len(items) >= count - 1:
            tail = count - starred - 1
            middle = items[starred : len(items) - tail]
            return [*items[:starred], Sequence("list", tuple(middle)), *items[len(items) - tail :]]
    each = iterate(m, value)
    return [Sequence("list", (), each, True) if i == starred else each for i in range(count)]


def _unpack_choice(m: Machine, value: Choice, count: int, starred: int | None) -> list[Value]:
    result: list[Value] = []
    for option in value.options:
        if option is None:
            continue
        parts = unpack(m, option, count, starred)
        result = parts if not result else [join(a, b) for a, b in zip(result, parts, strict=True)]
    return result or [Data()] * count


def get_sequence(sequence: Sequence, index: Value) -> Value:
    known = constant(index)
    if isinstance(known, int) and sequence.rest is NO_REST and -len(sequence.items) <= known < len(sequence.items):
        return sequence.items[known]
    if type(index) is slice:
        bounds = [constant(v) for v in (index.start, index.stop, index.step)]
        if sequence.rest is NO_REST and all(b is None or isinstance(b, int) for b in bounds):
            return Sequence(sequence.kind, sequence.items[slice(*bounds)])
        return Sequence(sequence.kind, (), _selected(summary(sequence), index), True)
    if isinstance(known, int) and sequence.rest is NO_REST and not sequence.items:
        return Data()
    return _selected(summary(sequence), index)


def _selected(value: Value, index: Value) -> Value:
    from pgolf_check.static.loops import choose

    tags = tags_of(index)
    return choose(value, tags) if tags else value


def append(m: Machine, sequence: Sequence, value: Value) -> None:
    """list.append: positions are kept while few are known, and outside of loops."""
    if sequence.rest is NO_REST and not m.loops and len(sequence.items) < 64:
        m.heap.put(sequence, "items", (*sequence.items, value))
    else:
        m.heap.put(sequence, "rest", value if sequence.rest is NO_REST else join(sequence.rest, value))
    if sequence.origin is not None:
        append(m, sequence.origin, value)


SEQUENCE_METHODS = frozenset(
    "append extend insert pop popleft appendleft remove clear copy index count sort reverse add discard update union".split()
)


def sequence_method(m: Machine, receiver: Sequence, name: str, args: tuple[Value, ...]) -> Value:
    if name in ("append", "appendleft", "add", "put", "put_nowait") and args:
        append(m, receiver, args[0])
    elif name == "send" and args:
        if receiver.kind == "generator" and has_reads(deps_of(args[0])):
            m.not_followed("validation data is sent into a generator")
        append(m, receiver, args[0])
    elif name == "insert" and len(args) > 1:
        append(m, receiver, args[1])
    elif name in ("extend", "update") and args:
        for value in elements(m, args[0]):
            append(m, receiver, value)
    elif name in ("pop", "popleft", "get", "get_nowait", "recv"):
        return summary(receiver)
    elif name == "clear":
        m.heap.put(receiver, "items", ())
        m.heap.put(receiver, "rest", NO_REST)
    elif name in ("copy", "union"):
        return Sequence(receiver.kind, receiver.items, receiver.rest, receiver.rest is not NO_REST)
    elif name in ("index", "count"):
        return Data(deps_of(receiver), scalar=True)
    return None


def get_mapping(m: Machine, mapping: Mapping, key: Value, default: Value = NO_CONST) -> Value:
    known = constant(key)
    if known is not NO_CONST and known in mapping.items:
        return mapping.items[known]
    result: Value = mapping.rest
    if known is NO_CONST or type(key) is Data:
        for value in mapping.items.values():
            result = value if result is NO_REST else join(result, value)
    if default is not NO_CONST:
        result = default if result is NO_REST else join(result, default)
    if result is NO_REST:
        result = Data()
    if mapping.owner is not None:
        result = Data(union((deps_of(result), frozenset((mapping.owner, *mapping.owner.seen)), looked_up(m, key, counts=True))))
        return _selected(result, key)
    found = _selected(result, key)
    return described(m, found, key) if mapping.items or mapping.rest is not NO_REST else found


def set_mapping(m: Machine, mapping: Mapping, key: Value, value: Value) -> None:
    key_deps = deps_of(key)
    if has_reads(key_deps):
        _count_in_mapping(m, mapping, key_deps)
        value = settled(value)
    found = filled(m, mapping, key)
    if found:
        value = Data(union((deps_of(value), found)), tags_of(value), scalar=is_scalar(value))
    _store(m, mapping, key, value)


def _empty(value: Value) -> bool:
    """Whether a value is a container that holds nothing yet: to keep one under a key counts nothing."""
    return type(value) in (Sequence, Mapping) and not value.items and value.rest is NO_REST


def _store(m: Machine, mapping: Mapping, key: Value, value: Value) -> None:
    known = constant(key)
    if known is not NO_CONST and is_const(key):
        m.heap.put_item(mapping.items, known, value)
    else:
        m.heap.put(mapping, "rest", value if mapping.rest is NO_REST else join(mapping.rest, value))


def settled(value: Value) -> Value:
    """A value as it is kept in a table: what it was computed from is a count, whatever it was looked up by."""
    if type(value) is Data and value.owner is None and unmixed(value.deps) is not value.deps:
        return Data(unmixed(value.deps), value.tags, tokens=value.tokens, parts=value.parts, scalar=value.scalar)
    return value


def _count_in_mapping(m: Machine, mapping: Mapping, key: frozenset[object]) -> None:
    if mapping.owner is None:
        m.heap.put(mapping, "owner", m.new_state("table"))
    owner = mapping.owner
    assert isinstance(owner, State)
    m.update(owner, key, "count")  # type: ignore[arg-type]


def mapping_method(m: Machine, receiver: Mapping, name: str, args: tuple[Value, ...]) -> Value:
    if name == "get" and args:
        return get_mapping(m, receiver, args[0], args[1] if len(args) > 1 else None)
    if name == "setdefault" and args:
        present = get_mapping(m, receiver, args[0], args[1] if len(args) > 1 else None)
        if len(args) > 1 and _empty(args[1]):
            _store(m, receiver, args[0], present)
        else:
            set_mapping(m, receiver, args[0], present)
        return present
    if name == "items":
        pairs = tuple(Sequence("tuple", (k, v)) for k, v in receiver.items.items())
        rest = receiver.rest if receiver.rest is NO_REST else Sequence("tuple", (Data(parts=(None,)), receiver.rest))
        return Sequence("list", pairs, rest, rest is not NO_REST)
    if name == "keys":
        rest = receiver.rest if receiver.rest is NO_REST else Data(parts=(None,))
        return Sequence("list", tuple(receiver.items), rest, rest is not NO_REST)
    if name == "values":
        return Sequence("list", tuple(receiver.items.values()), receiver.rest, receiver.rest is not NO_REST)
    if name == "update" and args and type(args[0]) is Mapping:
        for key, value in args[0].items.items():
            m.heap.put_item(receiver.items, key, value)
        if args[0].rest is not NO_REST:
            m.heap.put(receiver, "rest", args[0].rest if receiver.rest is NO_REST else join(receiver.rest, args[0].rest))
        return None
    if name == "pop" and args:
        return get_mapping(m, receiver, args[0], args[1] if len(args) > 1 else NO_CONST)
    if name == "copy":
        copied = Mapping(dict(receiver.items), receiver.rest)
        copied.owner = receiver.owner
        return copied
    if name == "clear":
        for key in list(receiver.items):
            from pgolf_check.static.heap import MISSING

            m.heap.put_item(receiver.items, key, MISSING)
        m.heap.put(receiver, "rest", NO_REST)
        return None
    return Data(deps_of(receiver))


__all__ = [
    "NO_TAGS",
    "Method",
    "append",
    "elements",
    "get_mapping",
    "get_sequence",
    "iterate",
    "mapping_method",
    "sequence_method",
    "set_mapping",
    "summary",
    "unpack",
]
