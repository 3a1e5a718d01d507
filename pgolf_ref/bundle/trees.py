"""Walks over syntax trees as those of `ast`, but several times faster: past contexts and operators, which have no parts."""

import ast
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

BARE = (ast.expr_context, ast.boolop, ast.operator, ast.unaryop, ast.cmpop)
WITHOUT_PARTS = (ast.Constant, ast.Global, ast.Nonlocal)
# The fields of contexts and operators, and those of texts and numbers:
NO_PARTS = ["ctx", "op", "ops", "id", "attr", "arg", "name", "asname", "module", "level"]
NO_PARTS += ["kind", "conversion", "type_comment", "simple", "is_async", "rest", "kwd_attrs"]


class _Fields(dict[type[ast.AST], tuple[str, ...]]):
    """The fields of each kind of node that hold parts, or lists of parts and None."""

    def __missing__(self, kind: type[ast.AST]) -> tuple[str, ...]:
        self[kind] = () if issubclass(kind, WITHOUT_PARTS) else tuple(name for name in kind._fields if name not in NO_PARTS)
        return self[kind]


_FIELDS = _Fields()


def children(node: ast.AST) -> list[ast.AST]:
    """The parts of a node, in their order."""
    found: list[ast.AST] = []
    for name in _FIELDS[node.__class__]:
        value = getattr(node, name, None)
        if value.__class__ is list:
            found += filter(None, value)
        elif value is not None:
            found.append(value)
    return found


def walk(node: ast.AST) -> Iterator[ast.AST]:
    """A node and all within it."""
    pending = [node]
    for each in pending:
        pending += children(each)
        yield each


def shape(node: ast.AST) -> list[Any]:
    """What makes a tree, whatever its places in a text: equal for equal trees."""
    found: list[Any] = []
    pending = [node]
    for each in pending:
        found.append(type(each))
        for name in each._fields:
            value = getattr(each, name, None)
            if isinstance(value, ast.AST):
                pending.append(value)
            elif isinstance(value, list):
                found.append([type(item) if isinstance(item, ast.AST) else item for item in value])
                pending += [item for item in value if isinstance(item, ast.AST)]
            else:
                found.append(repr(value) if isinstance(each, ast.Constant) else value)
    return found


def copied(value: Any) -> Any:
    """A tree of its own, but for contexts and operators: all trees of a process share those, and python-minifier hangs its own on them."""
    if isinstance(value, list):
        return [copied(each) for each in value]
    if isinstance(value, ast.AST) and not isinstance(value, BARE):
        tree = type(value).__new__(type(value))
        tree.__dict__.update({name: copied(each) for name, each in vars(value).items()})
        return tree
    return value


class _Methods(dict[type[ast.AST], Callable[[Any, Any], Any]]):
    """What a visitor does with each kind of node."""

    def __init__(self, of: type["Visitor"]) -> None:
        super().__init__()
        self._of = of

    def __missing__(self, kind: type[ast.AST]) -> Callable[[Any, Any], Any]:
        self[kind] = getattr(self._of, f"visit_{kind.__name__}", self._of.generic_visit)
        return self[kind]


class Visitor:
    """As `ast.NodeVisitor`."""

    __slots__ = ()
    _methods: ClassVar[_Methods]

    def __init_subclass__(cls) -> None:
        cls._methods = _Methods(cls)

    def visit(self, node: ast.AST) -> Any:
        return self._methods[node.__class__](self, node)

    def generic_visit(self, node: ast.AST) -> Any:
        for each in children(node):
            self._methods[each.__class__](self, each)


class Transformer(Visitor):
    """As `ast.NodeTransformer`."""

    def generic_visit(self, node: ast.AST) -> Any:
        for name in _FIELDS[node.__class__]:
            value = getattr(node, name, None)
            if value.__class__ is list:
                value[:] = self._visited(value)
            elif value is not None:
                found = self._methods[value.__class__](self, value)
                if found is None:
                    delattr(node, name)
                else:
                    setattr(node, name, found)
        return node

    def _visited(self, values: list[Any]) -> list[Any]:
        kept: list[Any] = []
        for value in values:
            found = value and self._methods[value.__class__](self, value)
            if found.__class__ is list:
                kept += found
            elif found is not None or value is None:
                kept.append(found)
        return kept
