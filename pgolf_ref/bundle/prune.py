"""Methods that nothing names, and then the definitions that only they needed, are left out.

A method counts as named where any attribute or text that is reached has its spelling, whatever the object; those that Python and torch
call by themselves stay.
"""

import ast
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from pgolf_ref.bundle.trees import children, walk

CALLED_BY_OTHERS = ("forward", "backward")


@dataclass(frozen=True, slots=True)
class _Part:
    """A statement, or a part of a class: what it defines at the top level, the names and spellings in it; a method has its class."""

    node: ast.AST
    defines: frozenset[str]
    names: frozenset[str]
    spellings: frozenset[str]
    method: str | None = None


def pruned(statements: Sequence[ast.stmt], entries: Collection[str]) -> list[ast.stmt]:
    """The statements that the entries need, classes with the methods that they need; names are those of inline.py. Changes classes."""
    waiting = [part for statement in statements for part in _parts(statement)]
    names, spellings = set(entries), set[str]()
    reached: set[int] = set()
    taken = [part for part in waiting if _is_reached(part, names, spellings)]
    while taken:
        for part in taken:
            names |= part.names
            spellings |= part.spellings
            reached.add(id(part.node))
        waiting = [part for part in waiting if id(part.node) not in reached]
        taken = [part for part in waiting if _is_reached(part, names, spellings)]
    for statement in statements:
        if isinstance(statement, ast.ClassDef):
            statement.body = [each for each in statement.body if id(each) in reached or not is_optional(each)] or [ast.Pass()]
    return [statement for statement in statements if names.intersection(_defined(statement))]


def _is_reached(part: _Part, names: set[str], spellings: set[str]) -> bool:
    return not names.isdisjoint(part.defines) and (part.method is None or part.method in spellings)


def _parts(statement: ast.stmt) -> Iterator[_Part]:
    defines = frozenset(_defined(statement))
    parts: list[ast.AST] = [statement]
    if isinstance(statement, ast.ClassDef):
        parts = [*statement.decorator_list, *statement.bases, *statement.keywords, *statement.body]
    for part in parts:
        nodes = list(_read(part))
        spelled = {each.attr for each in nodes if isinstance(each, ast.Attribute)}
        spelled |= {each.value for each in nodes if isinstance(each, ast.Constant) and isinstance(each.value, str)}
        names = frozenset(each.id for each in nodes if isinstance(each, ast.Name))
        method = part.name if part is not statement and isinstance(part, ast.FunctionDef) and is_optional(part) else None
        yield _Part(part, defines, names, frozenset(spelled), method)


def _read(node: ast.AST) -> Iterator[ast.AST]:
    """A node and all within it but annotations."""
    pending = [node]
    for each in pending:
        yield each
        pending += [part for part in children(each) if part is not getattr(each, "annotation", None)]


def is_optional(node: ast.AST) -> bool:
    """Whether it is a function that only this program calls, where it is a method."""
    return isinstance(node, ast.FunctionDef) and not node.name.startswith("__") and node.name not in CALLED_BY_OTHERS


def _defined(statement: ast.stmt) -> list[str]:
    if isinstance(statement, ast.FunctionDef | ast.ClassDef):
        return [statement.name]
    targets = statement.targets if isinstance(statement, ast.Assign) else []
    return [each.id for target in targets for each in walk(target) if isinstance(each, ast.Name)]
