"""Subscripts: reading them, writing them, and augmented assignment."""

from __future__ import annotations

from pgolf_check.static.effects.mixing import exchanged, shifted, stopped, written
from pgolf_check.static.effects.mixtures import LONGEST_SHIFT, described, hashed, is_hashed, keep_tokens, looked_up, reduced, sided
from pgolf_check.static.effects.native import weighed
from pgolf_check.static.effects.numbers import binary
from pgolf_check.static.effects.scores import chosen_at, weighed_by
from pgolf_check.static.effects.sequences import get_mapping, get_sequence, set_mapping
from pgolf_check.static.effects.spaces import added, told
from pgolf_check.static.effects.special import first_of
from pgolf_check.static.effects.streams import chosen, filled, obscured
from pgolf_check.static.joins import join
from pgolf_check.static.machine import Machine
from pgolf_check.static.records import (
    NO_DEPS,
    Deps,
    Edge,
    Read,
    has_reads,
    leaves_trace,
    narrowed,
    scores_of,
    union,
    unmixed,
)
from pgolf_check.static.values import (
    NO_CONST,
    NO_REST,
    NO_TAGS,
    Bound,
    Choice,
    Class,
    Data,
    External,
    Function,
    Instance,
    Mapping,
    Sequence,
    Value,
    constant,
    deps_of,
    is_const,
    tags_of,
)


def get_item(m: Machine, obj: Value, index: Value) -> Value:
    kind = type(obj)
    if kind is External and obj.path == "sys.modules" and isinstance(constant(index), str):
        return External(str(constant(index)))
    if kind is Sequence:
        found = get_sequence(obj, index)
        if is_hashed(index):
            return Data(union((deps_of(found), deps_of(index), looked_up(m, index, counts=True))), tags_of(index), scalar=True)
        return described(m, found, index)
    if kind is Mapping:
        return get_mapping(m, obj, index)
    if kind is Data:
        return select(m, obj, index)
    if kind is Choice:
        result: Value = NO_REST
        for option in obj.options:
            if option is not None:
                found = get_item(m, option, index)
                result = found if result is NO_REST else join(result, found)
        return Data() if result is NO_REST else result
    if kind is Instance:
        return _instance_item(m, obj, index)
    if is_const(obj):
        return _constant_item(obj, index)
    if kind is External and obj.path == "os.environ":
        from pgolf_check.static.effects.table import call_external

        return call_external(m, "os.getenv", (index,), {}, None)
    if kind in (Class, External, Function):
        return obj
    return Data(deps_of(obj) | deps_of(index), tags_of(index))


def _constant_item(obj: Value, index: Value) -> Value:
    try:
        if type(index) is slice:
            bounds = [constant(v) for v in (index.start, index.stop, index.step)]
            if all(b is None or isinstance(b, int) for b in bounds):
                return obj[slice(*bounds)]
            return Data(parts=(None,), scalar=True)
        known = constant(index)
        return obj[known] if isinstance(known, int) else Data(scalar=True)
    except (TypeError, IndexError):
        return Data(scalar=True)


def _instance_item(m: Machine, obj: Instance, index: Value) -> Value:
    items = obj.attrs.get("__items__")
    if type(items) is Sequence:
        found = get_sequence(items, index)
        if type(found) is Sequence and type(index) is slice:
            part = Instance(obj.cls, obj.state)
            part.attrs["__items__"] = found
            return part
        return found
    if type(items) is Mapping:
        return get_mapping(m, items, index)
    if type(obj.cls) is Class:
        found = first_of(m, obj, ("__getitem__", "__missing__"), index)
        if found is not NO_CONST:
            return found
        if obj.cls.fields:
            values = Sequence("tuple", tuple(obj.attrs.get(f, Data()) for f in obj.cls.fields))
            return get_sequence(values, index)
    return Data(deps_of(obj) | deps_of(index), tags_of(index))


def select(m: Machine, data: Data, index: Value) -> Value:
    """A part of a tensor: a view; of a stream, the region that the index's loop iterations choose."""
    from pgolf_check.static.effects.scores import gathered

    tags = tags_of(index)
    index_deps = deps_of(index)
    if data.owner is not None:
        if not has_reads(index_deps):
            return exchanged(m, data, index) or data
        return Data(union((deps_of(data), index_deps, looked_up(m, index, counts=True))), tags)
    scored = gathered(m, data, index)
    if scored is not None:
        return scored
    deps = sided(data, index, narrowed(data.deps, tags))
    if scores_of(deps):
        deps = union((deps, edges(m, index)))
    elif type(index) is Sequence:
        deps = shifted(m, data, index, deps)
    if data.tokens:
        deps = union((deps, chosen(m, data, index)))
    if not has_reads(data.deps):
        deps = union((deps, index_deps))
    deps = chosen_at(m, data, index, deps)
    if has_reads(index_deps):
        deps = union((deps, looked_up(m, index, counts=False)))
    part = Data(deps, data.tags | tags, bases=(data,), tokens=data.tokens, behind=data.behind)
    return part if data.tokens else described(m, part, index)


def edges(m: Machine, index: Value) -> Deps:
    """Where the last slice of a subscript begins and ends; a shift by a token or so is no place."""
    last = index.items[-1] if type(index) is Sequence and index.items else index
    if type(last) is not slice:
        return NO_DEPS
    places = ((_place(m, last.start), True), (_place(m, last.stop), False))
    return frozenset(Edge(place, since) for place, since in places if place is not None)


def _place(m: Machine, value: Value) -> tuple[int, int] | None:
    known = constant(value)
    if isinstance(known, int):
        return (0, known) if abs(known) > LONGEST_SHIFT else None
    if type(value) is not Data or known is not NO_CONST:
        return None
    if value.symbol is None:
        value.symbol = (m.identity(), 0)
    return value.symbol


def set_item(m: Machine, obj: Value, index: Value, value: Value) -> None:
    kind = type(obj)
    value = told(m, value)
    if kind is Sequence:
        _set_sequence(m, obj, index, value)
    elif kind is Mapping:
        set_mapping(m, obj, index, value)
    elif kind is Data:
        index_deps = deps_of(index)
        if any(type(d) is Read for d in index_deps) and _chosen_by_tokens(index):
            m.count(obj, index_deps, deps_of(value))
            value = Data(unmixed(deps_of(value)))
        best = weighed_by(m, index, value, NO_DEPS)
        value = Data(deps_of(value) | best, tags_of(value)) if best else value
        keep_tokens(obj, value)
        value = written(m, obj, index, value)
        weighed(m, index, constant(value))
        _keep_choice(m, obj, value)
        marked = edges(m, index) if is_const(value) else NO_DEPS
        if obj.deps and obj.owner is None:
            replaced = obj.tokens and type(index) is Data and not index.scalar and not has_reads(deps_of(value))
            m.heap.put(obj, "deps", obscured(m, obj.deps) if replaced else stopped(obj.deps, index))
        m.write(obj, union((deps_of(value), marked, filled(m, obj, index))), replace=_whole(index))
    elif kind is Choice:
        for option in obj.options:
            if option is not None:
                set_item(m, option, index, value)
    elif kind is Instance:
        _set_instance_item(m, obj, index, value)
    elif kind is External and obj.path in ("os.environ", "sys.modules"):
        known, text = constant(index), constant(value)
        if obj.path == "os.environ" and isinstance(known, str) and isinstance(text, str):
            m.environment[known] = text
        elif has_reads(deps_of(value)):
            m.not_followed("validation data is kept in the environment")


def _keep_choice(m: Machine, target: Data, value: Value) -> None:
    """A blank tensor of positions chooses what those chose that were written into it, as long as all of them are known by their loops."""
    if not target.blank or is_const(value):
        return
    tags = tags_of(value)
    target.blank = bool(tags)
    if tags != target.tags:
        m.heap.put(target, "tags", target.tags | tags if tags else NO_TAGS)


def _set_instance_item(m: Machine, obj: Instance, index: Value, value: Value) -> None:
    from pgolf_check.static.calls import call

    items = obj.attrs.get("__items__")
    if type(items) in (Sequence, Mapping):
        set_item(m, items, index, value)
    elif type(obj.cls) is Class:
        method = obj.cls.lookup("__setitem__")
        if method is not NO_CONST:
            call(m, Bound(method, obj), (index, value), {})


def _whole(index: Value) -> bool:
    """`x[:] = v` and `x[...] = v` replace everything."""
    if index is Ellipsis:
        return True
    return type(index) is slice and index.start is None and index.stop is None


def _chosen_by_tokens(index: Value) -> bool:
    """Whether the place in a table is computed from token ids (rather than being a mask or position of scored values)."""
    if type(index) is Sequence:
        return any(_chosen_by_tokens(v) for v in index.items)
    return type(index) is Data and index.tokens


def _set_sequence(m: Machine, sequence: Sequence, index: Value, value: Value) -> None:
    known = constant(index)
    if isinstance(known, int) and sequence.rest is NO_REST and 0 <= known < len(sequence.items) and not tags_of(index):
        items = list(sequence.items)
        items[known] = value
        m.heap.put(sequence, "items", tuple(items))
        return
    if type(index) is slice:
        from pgolf_check.static.effects.sequences import iterate

        value = iterate(m, value)
    m.heap.put(sequence, "items", tuple(join(v, value) for v in sequence.items))
    if sequence.rest is not NO_REST or not sequence.items:
        m.heap.put(sequence, "rest", value if sequence.rest is NO_REST else join(sequence.rest, value))


def delete_target(m: Machine, obj: Value, index: Value) -> None:
    if type(obj) is Mapping:
        from pgolf_check.static.heap import MISSING

        known = constant(index)
        if known is not NO_CONST and known in obj.items:
            m.heap.put_item(obj.items, known, MISSING)


def accumulate(m: Machine, target: Value, op: str, value: Value, *, in_place: bool) -> Value:
    """`target op= value`: tensors and lists change in place, numbers and texts are bound anew."""
    value = reduced(value) if op == "+" else value
    if type(target) is Sequence and op == "+":
        from pgolf_check.static.effects.sequences import append, elements

        if target.kind == "tuple":
            return binary(m, op, target, value)
        for item in elements(m, value):
            append(m, target, item)
        return target
    if type(target) is Data and not target.scalar and target.parts is None:
        if target.owner is not None:
            m.write(target, deps_of(value), replace=False)
            return target
        if in_place:
            keep_tokens(target, value)
            deps = hashed(m, op, target, value, deps_of(value))
            counted = op == "+" and (m.spaced or leaves_trace(deps))
            m.write(target, added(m, target, value, deps) if counted else deps, replace=False)
            return target
        return binary(m, op, target, value)
    return binary(m, op, target, value)
