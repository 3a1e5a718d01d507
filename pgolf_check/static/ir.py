"""The compact form of a Python source that the abstract run works on.

A tree of small nodes without whitespace, comments or type annotations; every node carries `at`, its place in the (decoded) source,
packed as `line << 20 | column` (both 1-based; see `place`). Nodes hold no configuration and no identity: the form depends on the
source text alone, and is what the cache stores. Comprehensions and lambdas are scopes of their own, as in Python.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


def pack(line: int, column: int) -> int:
    """A place as one integer."""
    return line << 20 | column


def place(at: int) -> tuple[int, int]:
    """(line, column) of a packed place."""
    return at >> 20, at & 0xFFFFF


@dataclass(slots=True)
class Node:
    at: int


# Expressions


@dataclass(slots=True)
class Const(Node):
    """A literal: int, float, complex, str, bytes, bool, None or Ellipsis. Adjacent string literals are folded."""

    value: Any


@dataclass(slots=True)
class Name(Node):
    id: str


@dataclass(slots=True)
class Attr(Node):
    obj: Node
    name: str


@dataclass(slots=True)
class Index(Node):
    """`obj[index]`; several comma-separated indices are one `Display("tuple", ...)`."""

    obj: Node
    index: Node


@dataclass(slots=True)
class Slice(Node):
    lower: Node | None
    upper: Node | None
    step: Node | None


@dataclass(slots=True)
class Arg:
    """One argument of a call. `star` is "", "*" or "**"; `keyword` is None for positional ones."""

    value: Node
    keyword: str | None = None
    star: str = ""


@dataclass(slots=True)
class Call(Node):
    func: Node
    args: tuple[Arg, ...]


@dataclass(slots=True)
class Unary(Node):
    """op: "-", "+", "~" or "not"."""

    op: str
    operand: Node


@dataclass(slots=True)
class Binary(Node):
    """op: "+", "-", "*", "/", "//", "%", "**", "@", "&", "|", "^", "<<" or ">>"."""

    op: str
    left: Node
    right: Node


@dataclass(slots=True)
class Compare(Node):
    """A chain: left ops[0] rights[0] ops[1] rights[1] ...; "is not" and "not in" are single ops."""

    left: Node
    ops: tuple[str, ...]
    rights: tuple[Node, ...]


@dataclass(slots=True)
class Bool(Node):
    """op: "and" or "or"; nested chains of one op are flattened."""

    op: str
    values: tuple[Node, ...]


@dataclass(slots=True)
class IfExp(Node):
    test: Node
    body: Node
    orelse: Node


@dataclass(slots=True)
class Display(Node):
    """kind: "tuple", "list" or "set". Items may be `Starred`."""

    kind: str
    items: tuple[Node, ...]


@dataclass(slots=True)
class DictDisplay(Node):
    """Items (key, value); key None for `**value`."""

    items: tuple[tuple[Node | None, Node], ...]


@dataclass(slots=True)
class Starred(Node):
    value: Node


@dataclass(slots=True)
class Hole(Node):
    """A replacement field of an f-string; `spec` holds the parts of the format specification."""

    value: Node
    conversion: str
    spec: tuple[Any, ...]


@dataclass(slots=True)
class FString(Node):
    """Parts: str or `Hole`."""

    parts: tuple[Any, ...]


@dataclass(slots=True)
class Clause:
    """`for target in iter if cond ...` of a comprehension."""

    target: Node
    iter: Node
    conditions: tuple[Node, ...]


@dataclass(slots=True)
class Comprehension(Node):
    """kind: "list", "set", "dict" or "generator". `element` is the value, `key` the key of a dict comprehension."""

    kind: str
    element: Node
    key: Node | None
    clauses: tuple[Clause, ...]


@dataclass(slots=True)
class Lambda(Node):
    function: Function


@dataclass(slots=True)
class Walrus(Node):
    name: str
    value: Node


@dataclass(slots=True)
class Yield(Node):
    value: Node | None
    delegate: bool


@dataclass(slots=True)
class Await(Node):
    value: Node


# Statements


@dataclass(slots=True)
class Assign(Node):
    """`t1 = t2 = value`. Targets: Name, Attr, Index, Display of targets, Starred."""

    targets: tuple[Node, ...]
    value: Node


@dataclass(slots=True)
class Annotated(Node):
    """`target: annotation = value`; value None for a bare declaration. The annotation is kept as an expression."""

    target: Node
    annotation: Node
    value: Node | None


@dataclass(slots=True)
class AugAssign(Node):
    """op as in `Binary`."""

    target: Node
    op: str
    value: Node


@dataclass(slots=True)
class Expr(Node):
    value: Node


@dataclass(slots=True)
class If(Node):
    test: Node
    body: tuple[Node, ...]
    orelse: tuple[Node, ...]


@dataclass(slots=True)
class For(Node):
    """`guarded`: a name bound by the target is read in a comparison or test inside the body (the last iteration may differ)."""

    target: Node
    iter: Node
    body: tuple[Node, ...]
    orelse: tuple[Node, ...]
    guarded: bool


@dataclass(slots=True)
class While(Node):
    test: Node
    body: tuple[Node, ...]
    orelse: tuple[Node, ...]


@dataclass(slots=True)
class With(Node):
    """Items (context expression, target or None)."""

    items: tuple[tuple[Node, Node | None], ...]
    body: tuple[Node, ...]


@dataclass(slots=True)
class Handler(Node):
    type: Node | None
    name: str | None
    body: tuple[Node, ...]


@dataclass(slots=True)
class Try(Node):
    body: tuple[Node, ...]
    handlers: tuple[Handler, ...]
    orelse: tuple[Node, ...]
    final: tuple[Node, ...]


@dataclass(slots=True)
class Return(Node):
    value: Node | None


@dataclass(slots=True)
class Raise(Node):
    value: Node | None


@dataclass(slots=True)
class Break(Node):
    pass


@dataclass(slots=True)
class Continue(Node):
    pass


@dataclass(slots=True)
class Pass(Node):
    pass


@dataclass(slots=True)
class Param:
    """kind: "positional" (positional-only included), "keyword" (keyword-only), "*" or "**"."""

    name: str
    kind: str
    default: Node | None


@dataclass(slots=True)
class Function(Node):
    """A function definition, or the body of a lambda (name "<lambda>", one Return).

    `locals` are the names bound in its own scope (parameters included), `free` declares `global` and `nonlocal` names by kind.
    """

    name: str
    params: tuple[Param, ...]
    body: tuple[Node, ...]
    decorators: tuple[Node, ...]
    locals: frozenset[str]
    globals: frozenset[str]
    nonlocals: frozenset[str]
    generator: bool
    doc: bool = False


@dataclass(slots=True)
class Class(Node):
    name: str
    bases: tuple[Arg, ...]
    body: tuple[Node, ...]
    decorators: tuple[Node, ...]
    locals: frozenset[str]


@dataclass(slots=True)
class Import(Node):
    """Items (dotted module, name it binds, whether the binding is the top package: `import a.b` binds a)."""

    items: tuple[tuple[str, str, bool], ...]


@dataclass(slots=True)
class ImportFrom(Node):
    """`from module import name as bound`; `level` counts leading dots; items (name, bound); ("*", "*") for a star."""

    module: str
    level: int
    items: tuple[tuple[str, str], ...]


@dataclass(slots=True)
class Delete(Node):
    targets: tuple[Node, ...]


@dataclass(slots=True)
class Assert(Node):
    test: Node
    message: Node | None


@dataclass(slots=True)
class Case:
    """A case of a match statement: the literal values that it tests (empty: anything may match), the names that it binds."""

    values: tuple[Node, ...]
    names: tuple[str, ...]
    guard: Node | None
    body: tuple[Node, ...]


@dataclass(slots=True)
class Match(Node):
    subject: Node
    cases: tuple[Case, ...]


@dataclass(slots=True)
class Module:
    """A lowered file. `locals` are the names bound at module level."""

    body: tuple[Node, ...]
    locals: frozenset[str] = field(default_factory=frozenset)
