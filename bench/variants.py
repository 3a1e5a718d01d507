"""The same program written otherwise: names, order, comments and layout changed, nothing that it does."""

from __future__ import annotations

import ast
import hashlib
import random
from collections.abc import Callable

import python_minifier

LOOKUPS = frozenset(("globals", "locals", "eval", "exec"))


def minified(text: str) -> str:
    """Local, global, function and class names shortened, literal statements and comments gone, statements on one line."""
    return python_minifier.minify(text, remove_literal_statements=True, rename_globals=True, hoist_literals=True)


def reordered(text: str) -> str:
    """Top-level functions and classes without decorators and bases in another order, after everything that they stood among.

    Only neighbours change places, so that no statement that runs at import time meets a name that it needs too early.
    """
    module = ast.parse(text)
    order = random.Random(len(text))
    body: list[ast.stmt] = []
    group: list[ast.stmt] = []
    for node in (*module.body, None):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not node.decorator_list and not _evaluates(node):
            group.append(node)
            continue
        order.shuffle(group)
        body.extend(group)
        group = []
        if node is not None:
            body.append(node)
    module.body = body
    return ast.unparse(module)


def _evaluates(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether a definition computes default values from names of the module."""
    defaults = (*node.args.defaults, *(d for d in node.args.kw_defaults if d is not None))
    return any(isinstance(part, ast.Name | ast.Call) for default in defaults for part in ast.walk(default))


def stripped(text: str) -> str:
    """Comments, docstrings and layout gone."""
    module = ast.parse(text)
    for node in ast.walk(module):
        if (
            isinstance(node, ast.Module | ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
            and ast.get_docstring(node) is not None
        ):
            node.body = node.body[1:] or [ast.Pass()]
    return ast.unparse(ast.fix_missing_locations(module))


def renamed(text: str) -> str:
    """Parameters, local variables and functions under names that say nothing.

    A name is changed everywhere in the file if it is bound by a function in it and is no attribute, keyword, import or part of a text; none
    is where the program looks names up by texts.
    """
    module = ast.parse(text)
    if any(isinstance(n, ast.Name) and n.id in LOOKUPS for n in ast.walk(module)):
        return ast.unparse(module)
    bound = {node.id for node in ast.walk(module) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    bound |= {node.arg for node in ast.walk(module) if isinstance(node, ast.arg)}
    bound |= {n.name for n in module.body if isinstance(n, ast.FunctionDef | ast.ClassDef)}
    kept = {node.attr for node in ast.walk(module) if isinstance(node, ast.Attribute)}
    kept |= {node.arg for node in ast.walk(module) if isinstance(node, ast.keyword) and node.arg}
    kept |= {
        alias.asname or alias.name
        for node in ast.walk(module)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }
    kept |= {
        n.id
        for c in ast.walk(module)
        if isinstance(c, ast.ClassDef)
        for s in c.body
        for n in ast.walk(s)
        if isinstance(n, ast.Name)
    }
    kept |= {name for n in ast.walk(module) if isinstance(n, ast.Global | ast.Nonlocal) for name in n.names}
    texts = " ".join(n.value for n in ast.walk(module) if isinstance(n, ast.Constant) and isinstance(n.value, str))
    names = {
        name: f"v_{hashlib.sha256(name.encode()).hexdigest()[:8]}" for name in bound - kept if name not in texts and name != "self"
    }
    return ast.unparse(_Renamer(names).visit(module))


class _Renamer(ast.NodeTransformer):
    def __init__(self, names: dict[str, str]) -> None:
        self.names = names

    def visit_Name(self, node: ast.Name) -> ast.AST:
        node.id = self.names.get(node.id, node.id)
        return node

    def visit_arg(self, node: ast.arg) -> ast.AST:
        self.generic_visit(node)
        node.arg = self.names.get(node.arg, node.arg)
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.ClassDef) -> ast.AST:
        self.generic_visit(node)
        node.name = self.names.get(node.name, node.name)
        return node

    visit_ClassDef = visit_FunctionDef


VARIANTS: dict[str, Callable[[str], str]] = {
    "minified": minified,
    "reordered": reordered,
    "stripped": stripped,
    "renamed": renamed,
}
