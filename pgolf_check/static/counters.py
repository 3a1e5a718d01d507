"""Numbers that a loop body counts on by hand: what they choose belongs to the iteration, as with a loop variable."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from pgolf_check.static import ir
from pgolf_check.static.heap import Delta
from pgolf_check.static.machine import Machine
from pgolf_check.static.values import NO_CONST, Data, Scope, Value, constant, deps_of, tags_of

Tags = frozenset[tuple[int, int]]


def counters(m: Machine, node: ir.For | ir.While) -> frozenset[str]:
    """The names that a loop body computes anew."""
    found = m.counters.get(id(node))
    if found is None:
        found = m.counters[id(node)] = frozenset(_assigned(node.body))
    return found


def _assigned(nodes: Iterable[Any]) -> Iterator[str]:
    for node in nodes:
        kind = type(node)
        if kind is ir.AugAssign and type(node.target) is ir.Name:
            yield node.target.id
        elif kind is ir.Assign and type(node.value) in (ir.Name, ir.Binary):
            yield from (t.id for t in node.targets if type(t) is ir.Name)
        elif kind in (ir.If, ir.For, ir.While, ir.With):
            yield from _assigned((*node.body, *getattr(node, "orelse", ())))
        elif kind is ir.Try:
            yield from _assigned((*node.body, *node.orelse, *node.final))


def begin(m: Machine, names: frozenset[str], scope: Scope, loop: int, number: int) -> None:
    """At the start of an iteration its counters choose what belongs to it."""
    for name in names:
        value = scope.names.get(name)
        if type(value) is int or (type(value) is Data and value.scalar and not value.deps and value.parts is None):
            m.heap.put_item(scope.names, name, _counted(value, loop, number))


def _counted(value: Value, loop: int, number: int) -> Data:
    if type(value) is int:
        return Data(tags=frozenset(((loop, number),)), const=value, scalar=True)
    return _unbounded(value, within(value, loop, number))


def _unbounded(number: Data, tags: Tags) -> Data:
    """A number without its upper bound: in a later iteration it may be above that."""
    return Data(number.deps, tags, const=number.const, symbol=number.symbol, low=number.low, scalar=True)


def within(value: Value, loop: int, number: int) -> Tags:
    """The tags of a number at the start of an iteration: what earlier iterations of this loop and inner ones chose is over."""
    return frozenset(tag for tag in tags_of(value) if tag[0] < loop) | {(loop, number)}


def widen(m: Machine, before: Delta, loop: int, number: int) -> None:
    """Forget the numbers and texts that the first iteration changed: later iterations see other ones."""
    for obj, name, item, old in list(before.values()):
        now = obj.get(name) if item else getattr(obj, name)
        if item and type(now) is Data and now.high is not None and now is not old:
            m.heap.put_item(obj, name, _unbounded(now, now.tags))
            continue
        was, known = constant(old), constant(now)
        if was is NO_CONST or known is NO_CONST or (type(was) is type(known) and was == known) or known is None or was is None:
            continue
        if isinstance(known, bool) or not isinstance(known, (int, float, str)) or not (item or name == "rest"):
            continue
        low = known if isinstance(known, int) and isinstance(was, int) and known > was else None
        parts = (None,) if isinstance(known, str) else None
        value = Data(deps_of(now), within(now, loop, number), low=low, scalar=True, parts=parts)
        if item:
            m.heap.put_item(obj, name, value)
        else:
            m.heap.put(obj, name, value)
