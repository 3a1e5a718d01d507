"""Layers that a comprehension makes alike are one: the blocks of a model need not run once for the first and once for the others.

Two layers are alike if they are of one class, belong to one state, and hold parts that are alike. Numbers may differ, as the index of
the layer does, and stand for either from then on. Where one has a part that the other lacks, both stay.
"""

from __future__ import annotations

from collections.abc import Iterator

from pgolf_check.static.joins import join
from pgolf_check.static.machine import Machine
from pgolf_check.static.records import State
from pgolf_check.static.values import CONSTANT_TYPES, NO_REST, Class, Data, External, Instance, Sequence, Value, is_module_instance

Pairs = dict[tuple[int, int], tuple[Instance, Instance]]


def one_layer(m: Machine, first: Value, later: Value) -> Value:
    """The layer that stands for both if they are alike, otherwise either."""
    if not _is_layer(first) or not _is_layer(later):
        return join(first, later)
    pairs: Pairs = {}
    if not _alike(first, later, pairs):
        return join(first, later)
    for gone, kept in pairs.values():
        _merge(m, gone, kept)
    return later


def _is_layer(value: Value) -> bool:
    return is_module_instance(value) and type(value.cls) is Class


def _alike(a: Value, b: Value, pairs: Pairs) -> bool:
    """Whether two parts of layers are alike; notes the pairs of objects."""
    if a is b:
        return True
    if _is_number(a) and _is_number(b):
        return True
    if type(a) is not type(b):
        return False
    if type(a) is Instance:
        return _alike_objects(a, b, pairs)
    if type(a) is Data:
        return a.owner is b.owner and a.rows == b.rows and not (a.deps or b.deps)
    if type(a) is Sequence:
        return _alike_sequences(a, b, pairs)
    if type(a) is External:
        return bool(a.path == b.path)
    return type(a) in CONSTANT_TYPES and bool(a == b)


def _alike_objects(a: Instance, b: Instance, pairs: Pairs) -> bool:
    if (id(a), id(b)) in pairs:
        return True
    if a.cls != b.cls or a.state is not b.state or a.attrs.keys() != b.attrs.keys() or len(a.held) != len(b.held):
        return False
    pairs[id(a), id(b)] = (a, b)
    attrs = all(_alike(value, b.attrs[name], pairs) for name, value in a.attrs.items())
    return attrs and all(_alike(x, y, pairs) for x, y in zip(a.held, b.held, strict=True))


def _alike_sequences(a: Sequence, b: Sequence, pairs: Pairs) -> bool:
    if (a.kind, len(a.items), a.rest is NO_REST) != (b.kind, len(b.items), b.rest is NO_REST):
        return False
    return all(_alike(x, y, pairs) for x, y in zip((*a.items, a.rest), (*b.items, b.rest), strict=True))


def _is_number(value: Value) -> bool:
    return type(value) in (int, float, bool) or (type(value) is Data and value.scalar and not value.deps)


def _merge(m: Machine, gone: Instance, kept: Instance) -> None:
    """Give the layer that stays the numbers of both; the parameters of the other are no longer any part of the state."""
    for name, value in gone.attrs.items():
        own = kept.attrs[name]
        if _is_number(value) or (type(value) is Data and value.owner is None):
            joined = join(value, own)
            if joined is not own:
                m.heap.put_item(kept.attrs, name, joined)
    leaves = frozenset(leaf for owner, leaf in _leaves(gone) if owner is gone.state) - {leaf for _, leaf in _leaves(kept)}
    if gone.state is not None and leaves:
        m.heap.put(gone.state, "leaves", gone.state.leaves - leaves)
        m.heap.put(gone.state, "fresh", gone.state.fresh - leaves)


def _leaves(layer: Instance) -> Iterator[tuple[State, int]]:
    for value in layer.attrs.values():
        if type(value) is Data and value.owner is not None and value.leaf is not None:
            yield value.owner, value.leaf
