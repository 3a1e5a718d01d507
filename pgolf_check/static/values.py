"""The abstract values of a run: concrete Python constants as themselves, everything else as one of the classes here.

`Data` stands for any number, tensor, array or text whose content is not known; the other classes are heap objects with identity.
Fields of heap objects are written through `heap.Heap` only, so that branches can be taken back and joined.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pgolf_check.static import ir
from pgolf_check.static.records import NO_DEPS, Deps, State, union

Value = Any
"""A Python constant (None, bool, int, float, complex, str, bytes, Ellipsis, slice of values) or an abstract value below."""

CONSTANTS = (int, float, str, bytes, bool, complex, type(None), type(Ellipsis))
NO_CONST: Any = type("NoConst", (), {"__repr__": lambda self: "NO_CONST"})()
NO_TAGS: frozenset[tuple[int, int]] = frozenset()


class Data:
    """An abstract number, tensor, array or text.

    deps    what flowed into it
    tags    loop iterations that chose it: as an index it selects the part of a stream that belongs to them
    const   its value, if known although tagged
    symbol  (identity, offset) for a number known relative to another
    low     a lower bound of a number
    high    an upper bound of a number
    owner   the state whose parameter it is, with `leaf` the part (None: any part)
    bases   the tensors that a write to this view or alias also reaches
    tokens  raw token ids of a stream, possibly sliced, cast or masked
    parts   a text, None for the holes
    scalar  an immutable number: augmented assignment rebinds instead of writing
    behind  positions that lie before those that they were computed from
    marks   where one token id stands, such as the one that begins a document; its places are no content of the stream
    blank   zeros or unset memory so far, but for what its tags and dependencies tell
    born    the forward pass that made it
    rows    the first dimension of a new tensor, 1 if it has only one
    """

    __slots__ = (
        "deps", "tags", "const", "symbol", "low", "high", "owner", "leaf", "bases", "tokens", "parts", "scalar", "behind", "marks", "blank", "born", "rows",
    )  # fmt: skip

    def __init__(
        self,
        deps: Deps = NO_DEPS,
        tags: frozenset[tuple[int, int]] = NO_TAGS,
        *,
        const: Any = NO_CONST,
        symbol: tuple[int, int] | None = None,
        low: int | None = None,
        high: int | None = None,
        owner: State | None = None,
        leaf: int | None = None,
        bases: tuple[Data, ...] = (),
        tokens: bool = False,
        parts: tuple[str | None, ...] | None = None,
        scalar: bool = False,
        behind: bool = False,
    ) -> None:
        self.deps = deps
        self.tags = tags
        self.const = const
        self.symbol = symbol
        self.low = low
        self.high = high
        self.owner = owner
        self.leaf = leaf
        self.bases = bases
        self.tokens = tokens
        self.parts = parts
        self.scalar = scalar
        self.behind = behind
        self.marks = False
        self.blank = False
        self.born: object = None
        self.rows: int | None = None


class Sequence:
    """A list, tuple or set: `items` known in order, then `rest` (a join) for an unknown number more, None if there are none.

    `origin` is the list that this one is an iteration's view of: what is appended here is in it too.
    """

    __slots__ = ("kind", "items", "rest", "origin")

    def __init__(self, kind: str, items: tuple[Value, ...] = (), rest: Value = None, has_rest: bool = False) -> None:
        self.kind = kind
        self.items = items
        self.rest = rest if has_rest else NO_REST
        self.origin: Sequence | None = None


NO_REST: Any = type("NoRest", (), {"__repr__": lambda self: "NO_REST"})()


class Mapping:
    """A dict: `items` by constant key, `rest` for all other keys (NO_REST if none). `owner` is set once its keys are tokens."""

    __slots__ = ("items", "rest", "owner")

    def __init__(self, items: dict[Any, Value] | None = None, rest: Value = NO_REST) -> None:
        self.items: dict[Any, Value] = items if items is not None else {}
        self.rest = rest
        self.owner: State | None = None


class Class:
    """A class of the audited source. `external` are its bases that lie outside, as dotted names; `frozen` if its objects are records."""

    __slots__ = ("name", "bases", "attrs", "external", "fields", "frozen", "metaclass")

    def __init__(self, name: str, bases: tuple[Class, ...], external: tuple[str, ...], attrs: dict[str, Value]) -> None:
        self.name = name
        self.bases = bases
        self.external = external
        self.attrs = attrs
        self.fields: tuple[str, ...] = ()
        self.metaclass: Class | None = next((base.metaclass for base in bases if base.metaclass is not None), None)
        self.frozen = any(e.endswith("NamedTuple") for e in external)

    def lookup(self, name: str) -> Value:
        """The attribute along the bases, or NO_CONST."""
        if name in self.attrs:
            return self.attrs[name]
        for base in self.bases:
            found = base.lookup(name)
            if found is not NO_CONST:
                return found
        return NO_CONST

    def derives(self, *names: str) -> bool:
        """Whether one of the external bases, of this class or inherited, is (or ends in) one of the dotted names."""
        if any(e == n or e.endswith("." + n) for e in self.external for n in names):
            return True
        return any(base.derives(*names) for base in self.bases)


class Instance:
    """An object. `cls` is a `Class` or the dotted name of an external one; `state` is set for modules."""

    __slots__ = ("cls", "attrs", "state", "held")

    def __init__(self, cls: Class | str, state: State | None = None) -> None:
        self.cls = cls
        self.attrs: dict[str, Value] = {}
        self.state = state
        self.held: tuple[Value, ...] = ()
        """For an external object (optimizer, partial, file, iterator): what it was built from."""


def is_module_instance(value: Value) -> bool:
    """Whether a value is a module, of torch or of the source."""
    return type(value) is Instance and value.state is not None


def is_record(value: Value) -> bool:
    """Whether a value is an object whose fields cannot be written, so that a copy of it is as good as itself."""
    return type(value) is Instance and type(value.cls) is Class and value.cls.frozen and value.state is None


class Scope:
    """The variables of a function call, class body, module or comprehension."""

    __slots__ = ("names", "parent", "node", "module", "instance_class", "yields")

    def __init__(self, parent: Scope | None, node: ir.Function | None, module: ModuleScope) -> None:
        self.names: dict[str, Value] = {}
        self.parent = parent
        self.node = node
        self.module = module
        self.instance_class: Class | None = parent.instance_class if parent is not None else None
        self.yields: list[Value] | None = None


class ModuleScope(Scope):
    """The variables of a source file."""

    __slots__ = ("path", "name")

    def __init__(self, path: str, name: str) -> None:
        self.path = path
        self.name = name
        super().__init__(None, None, self)


class Function:
    """A function or lambda with the scope that it closes over and its evaluated defaults."""

    __slots__ = ("node", "scope", "defaults", "owner_class", "attrs")

    def __init__(self, node: ir.Function, scope: Scope, defaults: dict[str, Value], owner_class: Class | None = None) -> None:
        self.node = node
        self.scope = scope
        self.defaults = defaults
        self.owner_class = owner_class
        self.attrs: dict[str, Value] = {}


class Bound:
    """A method with its receiver."""

    __slots__ = ("function", "receiver")

    def __init__(self, function: Value, receiver: Value) -> None:
        self.function = function
        self.receiver = receiver


class Wrapped:
    """property, staticmethod or classmethod."""

    __slots__ = ("kind", "function", "setter")

    def __init__(self, kind: str, function: Value, setter: Value = None) -> None:
        self.kind = kind
        self.function = function
        self.setter = setter


def unwrapped(value: Value) -> Value:
    """The function in a property, staticmethod or classmethod; anything else as it is."""
    return value.function if type(value) is Wrapped else value


class External:
    """Something outside the submission, by dotted name: a module, class or function."""

    __slots__ = ("path",)

    def __init__(self, path: str) -> None:
        self.path = path


class Method:
    """A method, by name, of a value whose class is not in the source."""

    __slots__ = ("receiver", "name")

    def __init__(self, receiver: Value, name: str) -> None:
        self.receiver = receiver
        self.name = name


class Native:
    """A function of the analyser itself, called as `function(machine, args, keywords)`."""

    __slots__ = ("function",)

    def __init__(self, function: Callable[..., Value]) -> None:
        self.function = function


class Choice:
    """One of several values (a heap object or None in at least one case)."""

    __slots__ = ("options",)

    def __init__(self, options: tuple[Value, ...]) -> None:
        self.options = options


HEAP = (Sequence, Mapping, Class, Instance, Function, Bound, Wrapped, External, Method, Native, Choice, ModuleScope)


CONSTANT_TYPES = frozenset(CONSTANTS)


def is_const(value: Value) -> bool:
    return type(value) in CONSTANT_TYPES


def constant(value: Value) -> Any:
    """The Python constant that a value certainly is, or NO_CONST."""
    kind = type(value)
    if kind is Data:
        return value.const
    return value if kind in CONSTANT_TYPES else NO_CONST


def options(value: Value) -> tuple[Value, ...]:
    return value.options if type(value) is Choice else (value,)


def deps_of(value: Value, depth: int = 3) -> Deps:
    """Everything that flowed into a value, states included, containers opened to a depth."""
    kind = type(value)
    if kind is Data:
        owner: State | None = value.owner
        if owner is not None:
            return union((value.deps, frozenset((owner, *owner.seen))))
        return value.deps  # type: ignore[no-any-return]
    if kind in CONSTANT_TYPES or depth == 0:
        return NO_DEPS
    if kind is Sequence:
        rest = () if value.rest is NO_REST else (value.rest,)
        return union(deps_of(v, depth - 1) for v in (*value.items, *rest))
    if kind is Mapping:
        rest = () if value.rest is NO_REST else (value.rest,)
        return union((_state_deps(value.owner), *(deps_of(v, depth - 1) for v in (*value.items.values(), *rest))))
    if kind is Choice:
        return union(deps_of(v, depth) for v in value.options)
    if kind is Instance:
        parts = (deps_of(v, depth - 1) for v in (*value.held, *value.attrs.values()))
        return union((_state_deps(value.state), *parts))
    if kind is slice:
        return union(deps_of(v, depth) for v in (value.start, value.stop, value.step))
    if kind is Method:
        return deps_of(value.receiver, depth - 1)
    return NO_DEPS


def viewed(data: Data) -> list[Data]:
    """A tensor and everything that it is a view of, each once; the tensor comes first. A parameter is no view."""
    found, pending = {id(data): data}, [data]
    while pending:
        part = pending.pop()
        for base in part.bases if part.owner is None else ():
            if id(base) not in found:
                found[id(base)] = base
                pending.append(base)
    return list(found.values())


def _state_deps(state: State | None) -> Deps:
    return NO_DEPS if state is None else frozenset((state, *state.seen))


def tags_of(value: Value, depth: int = 2) -> frozenset[tuple[int, int]]:
    """The loop iterations that chose an index."""
    kind = type(value)
    if kind is Data:
        return value.tags  # type: ignore[no-any-return]
    if kind in CONSTANT_TYPES or depth == 0:
        return NO_TAGS
    if kind is Sequence:
        rest = () if value.rest is NO_REST else (value.rest,)
        return frozenset().union(*(tags_of(v, depth - 1) for v in (*value.items, *rest)))
    if kind is slice:
        return _tags_of_slice(value)
    if kind is Choice:
        return frozenset().union(*(tags_of(v, depth) for v in value.options))
    return NO_TAGS


def _tags_of_slice(value: slice) -> frozenset[tuple[int, int]]:
    """A slice without an end reaches what later iterations choose, one without a beginning what earlier ones did."""
    if value.stop is None:
        return NO_TAGS
    start, stop = tags_of(value.start), tags_of(value.stop)
    if start or not stop:
        return start | stop
    return frozenset((loop, earlier) for loop, number in stop for earlier in range(number + 1))
