"""The top-level statements of a script that may be a wrapper, and which of them are wrapping and which are program.

Python's own parser reads the statements; where its grammar is too old for one of them, libcst finds its limits and it stays unread.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator
from dataclasses import dataclass

from pgolf_check.submission.syntax import syntax
from pgolf_check.submission.wrapper_values import LONG

GRADIENTS = frozenset({"backward", "value_and_grad"})

OWN_LINES = 150


@dataclass(frozen=True, slots=True)
class Statement:
    """A top-level statement: its text and its syntax trees, none where it could not be read."""

    text: str
    nodes: tuple[ast.stmt, ...]

    @property
    def long(self) -> bool:
        """Whether it holds a literal that is long enough to be payload."""
        return len(self.text) > LONG and any(
            isinstance(n, ast.Constant) and isinstance(n.value, (str, bytes)) and len(n.value) > LONG
            for node in self.nodes
            for n in ast.walk(node)
        )


def statements(text: str, *, later_grammar: bool = True) -> list[Statement] | None:
    """The top-level statements, or None if the text cannot be parsed; by libcst, which is slow, only where it may matter."""
    tree = syntax(text)
    if tree is None:
        return _by_libcst(text) if later_grammar else None
    lines = text.split("\n")
    return [
        Statement("\n".join(lines[n.lineno - 1 : n.end_lineno]) if alone else ast.unparse(n), (n,))
        for n, alone in _placed(tree.body)
    ]


def _placed(body: list[ast.stmt]) -> Iterator[tuple[ast.stmt, bool]]:
    """Every top-level statement, and whether no other one shares a line with it."""
    for before, node, after in zip([None, *body], body, [*body[1:], None], strict=False):
        shared = before is not None and (before.end_lineno or 0) >= node.lineno
        yield node, not shared and (after is None or after.lineno > (node.end_lineno or 0))


def _by_libcst(text: str) -> list[Statement] | None:
    """The statements of a source in a later grammar than this interpreter's, unless its nesting could exhaust libcst's stack."""
    import libcst

    from pgolf_check.static.limits import check_nesting, check_size
    from pgolf_check.static.positions import CannotParse, Tokens

    try:
        check_size(text)
        check_nesting(Tokens(text))
        module = libcst.parse_module(text)
    except (CannotParse, libcst.ParserSyntaxError, libcst.CSTValidationError, UnicodeEncodeError, RecursionError):
        return None
    found: list[Statement] = []
    for node in module.body:
        source = module.code_for_node(node).strip("\n")
        tree = syntax(source)
        found.append(Statement(source, tuple(tree.body) if tree is not None else ()))
    return found


def keeps_program(body: list[Statement]) -> bool:
    """Whether the statements without payload are a program of their own: they define classes, take gradients or are many lines."""
    if any(isinstance(top, ast.ClassDef) and not statement.long for statement in body for top in statement.nodes):
        return True
    plain = [statement for statement in body if not statement.long]
    if sum(statement.text.count("\n") + 1 for statement in plain) > OWN_LINES:
        return True
    return any(_is_program(node) for statement in plain for top in statement.nodes for node in ast.walk(top))


def _is_program(node: ast.AST) -> bool:
    return isinstance(node, ast.ClassDef) or (isinstance(node, ast.Attribute) and node.attr in GRADIENTS)


def prologue(before: list[Statement]) -> str:
    """The wrapper's own code before it executes the program, without payload and what is made of it; "" if that is imports only."""
    payload: set[str] = set()
    kept: list[Statement] = []
    for statement in before:
        names = [n for node in statement.nodes for n in ast.walk(node) if isinstance(n, ast.Name)]
        if statement.long or any(n.id in payload for n in names if isinstance(n.ctx, ast.Load)):
            payload |= {n.id for n in names if isinstance(n.ctx, ast.Store)}
        else:
            kept.append(statement)
    if all(isinstance(node, (ast.Import, ast.ImportFrom)) for statement in kept for node in statement.nodes):
        return ""
    return "\n".join(statement.text for statement in kept)


class _OwnNames(ast.NodeTransformer):
    """ns["main"]() becomes main(): the namespace given to exec is the program's own once its text stands in place of the call."""

    def visit_Call(self, node: ast.Call) -> ast.AST:
        name = _own_name(node)
        if name:
            node.func = ast.Name(name, ast.Load())
        return self.generic_visit(node)


def _own_name(node: ast.AST) -> str:
    """The name that a call takes out of a namespace to call it; "" if it is no such call."""
    match node:
        case ast.Call(ast.Subscript(ast.Name(), ast.Constant(str() as name))) if name.isidentifier():
            return name
    return ""


def trailing(after: list[Statement]) -> list[str]:
    """The code that follows the execution of the program, in its terms."""
    return [ast.unparse(_in_own_names(node)) for statement in after for node in statement.nodes]


def _in_own_names(node: ast.stmt) -> ast.AST:
    """The statement itself where nothing changes: a copy of a whole program is slow."""
    return _OwnNames().visit(copy.deepcopy(node)) if any(map(_own_name, ast.walk(node))) else node
