"""The statements of a whole program, smaller: what all of it agrees on is put in place, and what is then not needed left out.

Invariant: the program computes what it computed before.
"""

import ast
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from pgolf_ref.bundle.expand import expanded
from pgolf_ref.bundle.fold import Fold, is_literal
from pgolf_ref.bundle.prune import pruned
from pgolf_ref.bundle.specialise import Known
from pgolf_ref.bundle.trees import shape, walk
from pgolf_ref.bundle.unused import without_unused
from pgolf_ref.bundle.whole import Agreed

ROUNDS = 12
ENTRY = ""  # a name that nothing has
NAMED = 4  # characters of a statement that names a value, beside the value


def shrunk(statements: Sequence[ast.stmt], last: ast.stmt) -> list[ast.stmt]:
    """Definitions with names as those of inline.py, and the statement that runs them; `last` is the last of what is returned."""
    before: list[Any] = []
    current = [*(part for each in statements for part in _apart(each)), last]
    for _ in range(ROUNDS):
        tables = {name: node.value for node in current if isinstance(node, ast.Assign) for name in _names(node)}
        module = Fold().visit(Known(Agreed(current), tables, _short(current, tables)).visit(ast.Module(current, [])))
        without_unused(module.body)
        expanded(module.body)
        last = module.body[-1]
        current = [*pruned([*module.body[:-1], _entry(last)], [ENTRY])[:-1], last]
        now = shape(ast.Module(current, []))
        if now == before:
            break
        before = now
    return current


def _entry(last: ast.stmt) -> ast.FunctionDef:
    nothing = ast.arguments(posonlyargs=[], args=[], kwonlyargs=[], kw_defaults=[], defaults=[])
    return ast.FunctionDef(ENTRY, nothing, [last], [])


def _apart(node: ast.stmt) -> list[ast.stmt]:
    """`a, b = 1, 2` as two statements, so that either may go."""
    if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.value, ast.Tuple):
        target = node.targets[0]
        read = {each.id for each in walk(node.value) if isinstance(each, ast.Name)}
        own = {each.id for each in walk(target) if isinstance(each, ast.Name)}
        if isinstance(target, ast.Tuple) and len(target.elts) == len(node.value.elts) and not own & read:
            pairs = zip(target.elts, node.value.elts, strict=True)
            return [ast.copy_location(ast.Assign([name], value), node) for name, value in pairs]
    return [node]


def _short(statements: Sequence[ast.stmt], tables: Mapping[str, ast.expr]) -> dict[str, ast.expr]:
    """The literals that are shorter in place of their names."""
    names = Counter(each.id for node in statements for each in walk(node) if isinstance(each, ast.Name) and each.id in tables)
    found = {}
    for name, value in tables.items():
        if is_literal(value):
            size, uses = len(ast.unparse(value)), names[name] - 1
            if uses * size <= 2 * uses + size + NAMED:
                found[name] = value
    return found


def _names(node: ast.Assign) -> list[str]:
    return [each.id for each in node.targets if isinstance(each, ast.Name)]
