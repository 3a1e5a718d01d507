"""`lower` against CPython's own `ast` and `symtable`, and its places against libcst's PositionProvider."""

from __future__ import annotations

import ast
import importlib.util
import symtable
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import libcst
import pytest
from hypothesis import assume, example, given, settings
from libcst.metadata import MetadataWrapper, PositionProvider

from pgolf_check.static import ir
from pgolf_check.static.lower import lower
from tests.static.ast_form import Converter, shape
from tests.static.programs import programs
from tests.static.trees import nodes

MODULES = [
    "dataclasses",
    "contextlib",
    "asyncio.queues",
    "enum",
    "string",
    "ast",
    "textwrap",
    "heapq",
    "test.test_patma",
    "test.test_fstring",
]
PLACED = {
    libcst.Tuple: "Display", libcst.List: "Display", libcst.Set: "Display", libcst.GeneratorExp: "Comprehension", libcst.Dict: "DictDisplay",
    libcst.ListComp: "Comprehension", libcst.BinaryOperation: "Binary", libcst.Comparison: "Compare", libcst.IfExp: "IfExp",
    libcst.Subscript: "Index", libcst.NamedExpr: "Walrus", libcst.UnaryOperation: "Unary", libcst.Integer: "Const", libcst.Float: "Const",
    libcst.FunctionDef: "Function", libcst.ClassDef: "Class", libcst.If: "If", libcst.For: "For", libcst.While: "While", libcst.With: "With",
    libcst.Assign: "Assign", libcst.Expr: "Expr", libcst.Import: "Import", libcst.Del: "Delete", libcst.Assert: "Assert",
}  # fmt: skip


def parsed(text: str) -> ast.Module | None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return ast.parse(text)
        except SyntaxError:
            return None


def source(module: str) -> str:
    found = importlib.util.find_spec(module)
    if found is None or found.origin is None:
        pytest.skip(f"this Python has no {module}")
    return Path(found.origin).read_text(encoding="utf-8")


@pytest.mark.parametrize("module", MODULES)
def test_standard_library_has_the_structure_and_places_that_ast_gives(module: str) -> None:
    text = source(module)
    tree = parsed(text)
    assert tree is not None
    assert shape(lower(text).body) == Converter(text).block(tree.body)


@settings(max_examples=300, deadline=None)
@given(programs())
@example("for a in b:\n  (b for a in b) and b\n")
def test_programs_have_the_structure_and_places_that_ast_gives(text: str) -> None:
    tree = parsed(text)
    assume(tree is not None)
    assert tree is not None
    assert shape(lower(text).body) == Converter(text).block(tree.body)


@settings(max_examples=150, deadline=None)
@given(programs())
def test_places_are_those_of_position_provider(text: str) -> None:
    assume(parsed(text) is not None)
    try:
        wrapper = MetadataWrapper(libcst.parse_module(text))
    except libcst.CSTValidationError:
        assume(False)
    theirs = set()
    dropped = _annotations(wrapper.module)
    for node, span in wrapper.resolve(PositionProvider).items():
        kind = PLACED.get(type(node))
        if kind and node not in dropped and not (isinstance(node, libcst.Tuple) and not node.elements):
            theirs.add((kind, span.start.line, span.start.column + 1))
    ours = {(type(node).__name__, *ir.place(node.at)) for node in nodes(lower(text)) if isinstance(node, ir.Node)}
    assert theirs <= ours


def _annotations(module: libcst.Module) -> set[Any]:
    """What the compact form drops (annotations, causes, patterns) or flattens (deletion targets)."""
    dropped: set[Any] = set()
    pending: list[tuple[Any, bool]] = [(module, False)]
    while pending:
        node, below = pending.pop()
        below = below or isinstance(node, libcst.Del | libcst.Annotation | libcst.From | libcst.MatchPattern)
        if below and not isinstance(node, libcst.Del):
            dropped.add(node)
        pending += [(child, below) for child in node.children]
    return dropped


def own_scopes(text: str) -> Counter[Any]:
    found: Counter[Any] = Counter()
    module = lower(text)
    found["top", 0, module.locals | _walrus_names(text)] += 1
    for node in nodes(module):
        if isinstance(node, ir.Function):
            name = node.name.strip("<>")
            found[name, ir.place(node.at)[0], node.locals, node.globals, node.nonlocals] += 1
        elif isinstance(node, ir.Class):
            found[node.name, ir.place(node.at)[0], node.locals] += 1
    return found


def _walrus_names(text: str) -> frozenset[str]:
    """symtable does not tell where those of comprehensions at the top of a module belong, so they are given to both."""
    return frozenset(n.target.id for n in ast.walk(ast.parse(text)) if isinstance(n, ast.NamedExpr))


def their_scopes(text: str) -> Counter[Any]:
    found: Counter[Any] = Counter()
    pending = [symtable.symtable(text, "text", "exec")]
    while pending:
        table = pending.pop()
        pending += table.get_children()
        top = table.get_type() == "module"
        bound = frozenset(
            s.get_name() for s in table.get_symbols() if s.is_local() or (top and s.is_declared_global() and s.is_assigned())
        )
        bound |= _walrus_names(text) if top else frozenset()
        if str(table.get_type()) not in ("function", "class", "module") or table.get_name() in (
            "listcomp",
            "setcomp",
            "dictcomp",
            "genexpr",
        ):
            continue
        entry: list[Any] = [table.get_name(), table.get_lineno(), bound]
        if isinstance(table, symtable.Function):
            entry.append(frozenset(s.get_name() for s in table.get_symbols() if s.is_declared_global()))
            entry.append(frozenset(s.get_name() for s in table.get_symbols() if s.is_nonlocal()))
        found[tuple(entry)] += 1
    return found


@pytest.mark.parametrize(
    "module", ["dataclasses", "contextlib", "asyncio.queues", "test.test_scope", "test.test_generators", "inspect"]
)
def test_scopes_of_the_standard_library_are_those_of_symtable(module: str) -> None:
    text = source(module)
    assert own_scopes(text) == their_scopes(text)


@settings(max_examples=200, deadline=None)
@given(programs())
def test_scopes_of_programs_are_those_of_symtable(text: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            theirs = their_scopes(text)
        except SyntaxError:
            assume(False)
    assert own_scopes(text) == theirs
