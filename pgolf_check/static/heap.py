"""Journaled writes to heap objects, so that a branch can be run, taken back and joined with its sibling.

Every field write of the abstract run goes through `Heap.put` (slots) or `Heap.put_item` (dict entries). While a branch is
recorded, the first write of each field remembers what was there before.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pgolf_check.static.joins import join
from pgolf_check.static.records import State

MISSING: Any = type("Missing", (), {"__repr__": lambda self: "MISSING"})()

FLOW = frozenset(("seen", "grad", "derived", "fresh", "made"))
"""Fields of states that tell what flowed in. They are written with every step, and count as no change of the object."""
Change = tuple[Any, Any, bool, Any]
"""(object, field, whether it is a dict entry, value)"""
Delta = dict[tuple[int, Any], Change]


class Heap:
    """The journal stack. A delta maps a field to the value it had (while recording) or got (when returned)."""

    def __init__(self) -> None:
        self._journals: list[Delta] = []
        self.time = 0
        """How many writes there were."""
        self._writes: dict[int, int] = {}
        """The time of the last write, by identity of the object."""

    def touch(self, obj: Any) -> None:
        """An object is about to be written."""
        self.time += 1
        self._writes[id(obj)] = self.time

    def written(self, objects: Iterable[int], time: int) -> bool:
        """Whether any of the objects (by identity) was written after a time."""
        last = self._writes.get
        return any(last(identity, 0) > time for identity in objects)

    def put(self, obj: Any, slot: str, value: Any) -> None:
        if slot not in FLOW:
            self.touch(obj)
        if self._journals:
            key = (id(obj), slot)
            journal = self._journals[-1]
            if key not in journal:
                journal[key] = (obj, slot, False, getattr(obj, slot))
        setattr(obj, slot, value)

    def put_item(self, mapping: dict[Any, Any], key: Any, value: Any) -> None:
        self.touch(mapping)
        if self._journals:
            where = (id(mapping), key)
            journal = self._journals[-1]
            if where not in journal:
                journal[where] = (mapping, key, True, mapping.get(key, MISSING))
        if value is MISSING:
            mapping.pop(key, None)
        else:
            mapping[key] = value

    def recording(self) -> _Recording:
        """Record the writes of the block; they stay in force. The delta holds the values from before."""
        return _Recording(self._journals)

    def take_back(self, journal: Delta) -> Delta:
        """Undo recorded writes; returns the values that they had written. Call right after the recording ended."""
        after: Delta = {}
        for key, (obj, name, item, before) in journal.items():
            after[key] = (obj, name, item, obj.get(name, MISSING) if item else getattr(obj, name))
            self._set(obj, name, item, before)
        return after

    def redo(self, delta: Delta) -> None:
        """Write the values of a delta."""
        for obj, name, item, value in delta.values():
            self._set(obj, name, item, value)

    def merge(self, delta: Delta) -> None:
        """Join the values of a delta into the present ones."""
        for obj, name, item, value in delta.values():
            now = obj.get(name, MISSING) if item else getattr(obj, name)
            self._set(obj, name, item, joined(now, value))

    def _set(self, obj: Any, name: Any, item: bool, value: Any) -> None:
        if item:
            self.put_item(obj, name, value)
        else:
            self.put(obj, name, value)


class _Recording:
    """The block whose writes go into one more journal."""

    __slots__ = ("_journals",)

    def __init__(self, journals: list[Delta]) -> None:
        self._journals = journals

    def __enter__(self) -> Delta:
        journal: Delta = {}
        self._journals.append(journal)
        return journal

    def __exit__(self, *raised: object) -> None:
        journal = self._journals.pop()
        if self._journals:
            outer = self._journals[-1]
            for key, change in journal.items():
                outer.setdefault(key, change)


def joined(a: Any, b: Any) -> Any:
    """The join of two field contents: abstract values, dependency sets, or tuples of values."""
    if a is b or a is MISSING:
        return b
    if b is MISSING:
        return a
    if type(a) is frozenset and type(b) is frozenset:
        return a | b
    if type(a) is tuple and type(b) is tuple:
        return _joined_tuples(a, b)
    if type(a) is State or type(b) is State:
        return _joined_owners(a, b)
    return join(a, b)


def _joined_owners(a: State | None, b: State | None) -> State | None:
    """The owner of what became a table in at least one branch; two tables made in two branches are one from then on."""
    if a is None or b is None:
        return a or b
    a.seen = a.seen | b.seen
    return a


def _joined_tuples(a: tuple[Any, ...], b: tuple[Any, ...]) -> tuple[Any, ...]:
    """Item lists of a sequence: position by position; the longer one's tail is kept."""
    short, long = (a, b) if len(a) <= len(b) else (b, a)
    return tuple(joined(x, y) for x, y in zip(short, long, strict=False)) + long[len(short) :]
