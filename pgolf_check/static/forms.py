"""What a call of a plain function is given, and what it can reach beside that: the two decide whether another call is like it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pgolf_check.static.records import MANY_READS, Edge, Read, Score, State, Update
from pgolf_check.static.values import (
    CONSTANTS,
    NO_CONST,
    NO_REST,
    Bound,
    Choice,
    Class,
    Data,
    External,
    Function,
    Instance,
    Mapping,
    Method,
    ModuleScope,
    Scope,
    Sequence,
    Value,
    Wrapped,
    viewed,
)

if TYPE_CHECKING:
    from pgolf_check.static.machine import Machine

MAX_REACHED = 3_000

Kind = tuple[Any, ...]
"""What the members of a class of dependencies have in common."""
Classes = dict[Kind, set[Any]]
MOVING = frozenset((Read, Update, Edge))
"""Dependencies that differ from call to call."""


class Unkept(Exception):
    """The call is of a kind that is not kept."""


class Form:
    """The arguments of a call: what they are apart from the dependencies and tags that differ from call to call."""

    def __init__(self, m: Machine) -> None:
        self.machine = m
        self.places: list[Data] = []
        self.symbols: list[tuple[int, int] | None] = []
        self.parts: list[Any] = []
        """Lists and tensors among the arguments; they are known by their form, and must not be written."""

    def of(self, value: Value) -> Any:
        if isinstance(value, CONSTANTS):
            return type(value), value
        kind = type(value)
        if kind is Data:
            return self._of_data(value)
        if any(part is value for part in self.parts):
            raise Unkept
        if kind is Sequence:
            if value.origin is not None:
                raise Unkept
            self.parts.append(value)
            rest = None if value.rest is NO_REST else self.of(value.rest)
            return value.kind, tuple(self.of(v) for v in value.items), rest
        if kind is Choice:
            return "choice", tuple(self.of(v) for v in value.options)
        if kind is External:
            return "external", value.path
        if kind is Mapping and value.owner is None:
            self.parts += (value, value.items)
            rest = None if value.rest is NO_REST else self.of(value.rest)
            return "mapping", tuple((type(k), k, self.of(v)) for k, v in value.items.items()), rest
        if kind is slice:
            return "slice", self.of(value.start), self.of(value.stop), self.of(value.step)
        raise Unkept

    def _of_data(self, data: Data) -> Any:
        for place, known in enumerate(self.places):
            if known is data:
                return "again", place
        self.places.append(data)
        self.symbols.append(data.symbol)
        self.parts.extend(viewed(data))
        if any(type(d) is Score for d in data.deps):
            raise Unkept
        born = data.born is not None, any(data.born is frame for frame in self.machine.frames)
        fixed = frozenset(d for d in data.deps if type(d) not in MOVING)
        const = NO_CONST if data.const is NO_CONST else (type(data.const), data.const)
        own = (
            data.symbol,
            data.low,
            data.high,
            data.owner,
            data.leaf,
            data.tokens,
            data.parts,
            data.scalar,
            data.behind,
            data.marks,
        )
        return "data", fixed, const, own, data.blank, data.rows, born, bool(data.bases)


@dataclass(slots=True)
class Reached:
    """What a call can read beside its arguments: objects by identity, their states, and what lies in them."""

    objects: dict[int, Any] = field(default_factory=dict)
    states: dict[int, State] = field(default_factory=dict)
    fixed: set[Any] = field(default_factory=set)
    modules: dict[int, Any] = field(default_factory=dict)
    """The variables of source files; of these only the names count that were looked up."""

    def add(self, roots: Iterable[Value]) -> None:
        """Raises Unkept if that is too much, or hidden."""
        pending = list(roots)
        objects = self.objects
        while pending:
            value = pending.pop()
            kind = type(value)
            if isinstance(value, CONSTANTS) or kind is External or value is NO_REST or value is NO_CONST or id(value) in objects:
                continue
            if len(objects) > MAX_REACHED:
                raise Unkept
            objects[id(value)] = value
            self._open(value, kind, pending)

    def _open(self, value: Value, kind: type, pending: list[Value]) -> None:
        objects = self.objects
        if kind is Data:
            pending.extend(value.bases)
            self.fixed.update(d for d in value.deps if type(d) in MOVING)
            self.fixed.update(value.tags)
            self._state(value.owner)
        elif kind is Instance:
            objects[id(value.attrs)] = value.attrs
            self._state(value.state)
            pending.extend(value.attrs.values())
            pending.extend(value.held)
            pending.append(value.cls)
        elif kind is Class:
            objects[id(value.attrs)] = value.attrs
            pending.extend(value.attrs.values())
            pending.extend(value.bases)
        elif kind is Function:
            objects[id(value.attrs)] = value.attrs
            pending.extend(value.attrs.values())
            pending.extend(value.defaults.values())
            pending.append(value.scope)
        elif kind is Scope or kind is ModuleScope:
            if kind is ModuleScope:
                self.modules[id(value.names)] = value.names
            else:
                objects[id(value.names)] = value.names
                pending.extend(value.names.values())
                pending.append(value.parent)
        elif kind is Sequence:
            pending.extend((*value.items, value.rest, value.origin))
        elif kind is tuple:
            pending.extend(value)
        elif kind is Mapping:
            objects[id(value.items)] = value.items
            self._state(value.owner)
            pending.extend((*value.items.values(), value.rest))
        elif kind is Choice:
            pending.extend(value.options)
        elif kind is Bound:
            pending.extend((value.function, value.receiver))
        elif kind is Wrapped:
            pending.append(value.function)
        elif kind is Method:
            pending.append(value.receiver)
        elif kind is slice:
            pending.extend((value.start, value.stop, value.step))
        else:
            raise Unkept

    def _state(self, state: State | None) -> None:
        if state is not None:
            self.states.setdefault(id(state), state)
            self.objects[id(state)] = state


def classes(form: Form, reached: Reached) -> Classes:
    """What flows in, by what it has in common. Raises Unkept if it is so much that sets of it may be condensed (`records.merged`)."""
    masks: dict[Any, int] = {}
    bit = 1
    for flow in _flows(form, reached):
        for part in flow:
            if type(part) in MOVING or type(part) is tuple:
                masks[part] = masks.get(part, 0) | bit
        bit <<= 1
    if sum(type(part) is Read for part in {**masks, **dict.fromkeys(reached.fixed)}) > MANY_READS:
        raise Unkept
    kinds: dict[Any, Kind] = {}
    found: Classes = {}
    for part, mask in sorted(masks.items(), key=lambda item: type(item[0]) is Read):
        kind = (mask, *_kind(part, kinds, reached), part if part in reached.fixed else None)
        kinds[part] = kind
        found.setdefault(kind, set()).add(part)
    return found


def _flows(form: Form, reached: Reached) -> Iterator[Iterable[Any]]:
    """The dependencies and tags of arguments and states, each in its place."""
    states = dict(reached.states)
    for place in form.places:
        yield place.deps
        yield place.tags
        if place.owner is not None:
            states.setdefault(id(place.owner), place.owner)
    for state in states.values():
        yield state.seen
        yield state.grad


def _kind(part: Any, kinds: dict[Any, Kind], reached: Reached) -> Kind:
    """What effects look at: of a read the side, the stream, and which tags are of a loop that confines it; of a tag the iteration."""
    if type(part) is Read:
        own = {loop for loop, _ in part.region.iterations}
        confined = frozenset(kind for tag, kind in kinds.items() if type(tag) is tuple and tag[0] in own)
        return "read", part.side, part.region.stream, bool(own), confined
    if type(part) is Edge:
        return "edge", part.since
    return ("tag", part[1]) if type(part) is tuple else ("update",)
