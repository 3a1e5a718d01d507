"""Unique names become names of Python, which no local name and nothing of Python's own shares; imports come first."""

import ast
import builtins
from collections.abc import Iterable, Sequence

from pgolf_ref.bundle.scopes import arguments
from pgolf_ref.bundle.trees import walk


def named(statements: Sequence[ast.stmt]) -> ast.Module:
    """A module that runs, of statements whose global names are unique (inline.py). The statements are changed."""
    used, taken = _names(statements)
    chosen = _chosen(used, taken)
    for statement in statements:
        for node in walk(statement):
            if isinstance(node, ast.Name):
                node.id = chosen.get(node.id, node.id)
            elif isinstance(node, ast.FunctionDef | ast.ClassDef):
                node.name = chosen.get(node.name, node.name)
    imports = [_import(unique, name) for unique, name in sorted(chosen.items()) if unique.startswith("!")]
    return ast.fix_missing_locations(ast.Module([*imports, *statements], []))


def _names(statements: Iterable[ast.stmt]) -> tuple[list[str], set[str]]:
    """Unique names in order of appearance, and all others."""
    used: dict[str, None] = {}
    taken = {*dir(builtins), "__file__", "__name__"}
    for statement in statements:
        for node in walk(statement):
            found = _bound_or_read(node)
            used |= dict.fromkeys(name for name in found if _is_unique(name))
            taken |= {name for name in found if not _is_unique(name)}
    return list(used), taken


def _bound_or_read(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Name):
        return [node.id]
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return [node.name, *(each.arg for each in arguments(node))]
    if isinstance(node, ast.Lambda):
        return [each.arg for each in arguments(node)]
    if isinstance(node, ast.ExceptHandler):
        return [node.name] if node.name else []
    if isinstance(node, ast.alias):
        return [node.asname or node.name.partition(".")[0]]
    return []


def _is_unique(name: str) -> bool:
    return "." in name or name.startswith("!")


def _chosen(used: Iterable[str], taken: set[str]) -> dict[str, str]:
    """The last part of each unique name, with the module's after it where that is taken."""
    chosen = {}
    for unique in used:
        parts = unique.removeprefix("!").replace(":", ".").split(".")
        name = parts[-1]
        while name in taken:
            name += f"_{parts[-2] if len(parts) > 1 else ''}"
        taken.add(name)
        chosen[unique] = name
    return chosen


def _import(unique: str, name: str) -> ast.stmt:
    module, _, inner = unique.removeprefix("!").partition(":")
    alias = ast.alias(inner or module, None if name == (inner or module) else name)
    return ast.ImportFrom(module, [alias], 0) if inner else ast.Import([alias])
