"""Results of calls of plain functions on tensors and numbers, kept for calls that are alike: a rotation of queries is run once and not
once a layer and batch.

A call is kept if it did nothing but compute: no score, update or report was recorded and nothing was written that existed before. It
stands for a later call of the same function if

* the globals that it reached are the same objects and unwritten since (`Heap.written`);
* the arguments have the same form, constants included;
* what flows in through them (reads, updates, edges, and tags) falls into the same classes. A class is what comes in through the same
  places and is of the same kind, such as the targets of one stream; which and how many members it has is left open, as the effects do
  not look at that. A result that carries a part of a class is not kept.

The result is then built from the present members of its classes.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pgolf_check.static.forms import Classes, Form, Kind, Reached, Unkept, classes
from pgolf_check.static.records import Mixed, Read, Score, Update
from pgolf_check.static.values import (
    CONSTANTS,
    NO_CONST,
    NO_REST,
    Choice,
    Data,
    External,
    Function,
    ModuleScope,
    Sequence,
    Value,
    viewed,
)

if TYPE_CHECKING:
    from pgolf_check.static.machine import Machine

MIN_STEPS = 12
"""Calls of fewer steps are cheaper than a look at the memory."""
MAX_KEPT = 6
"""Results per form of a call."""

Key = tuple[Any, ...]
Global = tuple[ModuleScope, str, Value]
"""What a name of a source file stood for; NO_CONST if for nothing."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A call that was made: what it looked up and reached, when, the classes that flowed in, and how its result is built from them."""

    globals: tuple[Global, ...]
    reached: Reached
    time: int
    kinds: frozenset[Kind]
    build: Callable[[Form, Classes], Value]

    def holds(self, m: Machine) -> bool:
        """Whether everything that the call looked at beside its arguments is as it was."""
        same = all(module.names.get(name, NO_CONST) is value for module, name, value in self.globals)
        return same and not m.heap.written(self.reached.objects, self.time)


class Memory:
    """The calls of one run that are kept."""

    def __init__(self) -> None:
        self._kept: dict[Key, list[Kept]] = {}
        self._short: set[int] = set()
        self._read: list[list[Global]] = []
        """Per call that is being run to be kept, the globals that it and the kept calls in it looked up."""

    def note(self, module: ModuleScope, name: str, value: Value) -> None:
        """A name was looked up that is not local: a call under way may read a global."""
        if self._read and module.names.get(name, NO_CONST) is value:
            self._read[-1].append((module, name, value))

    def call(
        self, m: Machine, func: Function, args: tuple[Value, ...], keywords: dict[str, Value], run: Callable[[], Value]
    ) -> Value:
        """The result of a call, from memory or by running it."""
        node = id(func.node)
        if node in self._short or m.choosing or m.constructing or func.node.generator:
            return run()
        form = Form(m)
        try:
            given = tuple(form.of(a) for a in args), tuple((name, form.of(a)) for name, a in keywords.items())
            around = bool(m.loops), m.pass_under_way() is None, m.spaced > 0, m.handlers > 0
            key = (node, id(func.scope), around, given)
            kept = self._kept.setdefault(key, [])
        except (Unkept, TypeError):
            return run()
        for known in kept:
            if known.holds(m):
                try:
                    present = classes(form, known.reached)
                except Unkept:
                    continue
                if known.kinds == present.keys():
                    if self._read:
                        self._read[-1] += known.globals
                    return known.build(form, present)
        return self._run(m, func, form, kept, run)

    def _run(self, m: Machine, func: Function, form: Form, kept: list[Kept], run: Callable[[], Value]) -> Value:
        reached = Reached()
        try:
            reached.add((func,))
        except Unkept:
            return run()
        time, acts, steps = m.heap.time, m.acts, m.steps
        self._read.append([])
        try:
            result = run()
        finally:
            read = self._read.pop()
            if self._read:
                self._read[-1] += read
        if m.steps - steps < MIN_STEPS:
            self._short.add(id(func.node))
            return result
        if m.acts != acts or form.symbols != [place.symbol for place in form.places]:
            return result
        try:
            looked_up = {(id(module), name): (module, name, value) for module, name, value in read}
            reached.add(value for _, _, value in looked_up.values())
            reached.add(module for module, _, _ in looked_up.values())
            flowing = classes(form, reached)
            if not m.heap.written((*reached.objects, *reached.modules, *map(id, form.parts)), time):
                build = Builder(form, reached, flowing).plan(result)
                kept[:] = [*kept[1 - MAX_KEPT :], Kept(tuple(looked_up.values()), reached, m.heap.time, frozenset(flowing), build)]
        except Unkept:
            pass
        return result


class Builder:
    """How a result is made again from the arguments of another call."""

    def __init__(self, form: Form, reached: Reached, flowing: Classes) -> None:
        self.form = form
        self.reached = reached
        self.flowing = flowing
        self.given = frozenset[Any]().union(*(place.deps for place in form.places))
        self.made: set[int] = set()
        """What the tensors of the result are, or are views of: each is made anew once only."""

    def plan(self, value: Value) -> Callable[[Form, Classes], Value]:
        """Raises Unkept if the result is more than numbers, texts, tensors and sequences of them."""
        if isinstance(value, CONSTANTS) or type(value) is External or id(value) in self.reached.objects:
            return lambda form, present: value
        kind = type(value)
        if kind is Data:
            return self._plan_data(value)
        if kind is Sequence and value.origin is None and not any(part is value for part in self.form.parts):
            items = [self.plan(v) for v in value.items]
            rest = None if value.rest is NO_REST else self.plan(value.rest)
            sort = value.kind
            return lambda form, present: Sequence(
                sort,
                tuple([item(form, present) for item in items]),
                None if rest is None else rest(form, present),
                rest is not None,
            )
        if kind is Choice:
            options = [self.plan(v) for v in value.options]
            return lambda form, present: Choice(tuple([option(form, present) for option in options]))
        raise Unkept

    def _plan_data(self, data: Data) -> Callable[[Form, Classes], Value]:
        for place, known in enumerate(self.form.places):
            if known is data:
                return lambda form, present: form.places[place]
        if data.owner is not None or (data.symbol is not None and data.symbol[0] not in {s[0] for s in self.form.symbols if s}):
            raise Unkept
        kinds, fixed = self._parts(data.deps)
        tag_kinds, tags = self._parts(data.tags)
        bases = self._bases(data)
        template = copy(data)
        passing = any(data.born is frame for frame in self.form.machine.frames)

        def build(form: Form, present: Classes) -> Value:
            made = copy(template)
            made.born = form.machine.pass_under_way() if passing else template.born
            made.deps = fixed.union(*(present[kind] for kind in kinds))
            made.tags = tags.union(*(present[kind] for kind in tag_kinds))
            made.bases = tuple([base if place is None else form.places[place] for place, base in bases])
            return made

        return build

    def _parts(self, parts: frozenset[Any]) -> tuple[list[Kind], frozenset[Any]]:
        """The classes that dependencies or tags hold, and the rest."""
        kinds = [kind for kind, members in self.flowing.items() if not members.isdisjoint(parts)]
        covered: set[Any] = set().union(*(self.flowing[kind] for kind in kinds))
        rest = parts - covered
        made = rest - self.reached.fixed - self.given
        if not covered <= parts or any(type(part) in (Read, Update, Score, Mixed, tuple) for part in made):
            raise Unkept
        return kinds, rest

    def _bases(self, data: Data) -> list[tuple[int | None, Data]]:
        """What the result is a view of: arguments by their place, and what existed before."""
        found: list[tuple[int | None, Data]] = []
        for part in viewed(data):
            place = next((i for i, known in enumerate(self.form.places) if known is part), None)
            if place is not None or id(part) in self.reached.objects:
                found.append((place, part))
            elif id(part) in self.made or any(part is known for known in self.form.parts):
                raise Unkept
            else:
                self.made.add(id(part))
        return found or ([(None, Data())] if data.bases else [])
