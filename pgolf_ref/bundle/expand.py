"""Functions and methods that only return an expression, put in place of their calls where that is shorter; of empty ones, nothing.

Invariant: the program computes what it computed before. So arguments are repeated, or moved past a call, only where they are names or
literals, and a function whose expression binds names of its own stays.
"""

import ast
import builtins
from collections.abc import Sequence
from typing import Any

from pgolf_ref.bundle.fold import is_idle, is_literal
from pgolf_ref.bundle.kinds import root_of
from pgolf_ref.bundle.scopes import SCOPES, scope_of
from pgolf_ref.bundle.trees import Transformer, copied, walk
from pgolf_ref.bundle.whole import Callee, Whole

OVERHEAD = 16  # characters of a definition beside its expression and parameters
DECORATED = ("staticmethod",)


def expanded(statements: Sequence[ast.stmt]) -> None:
    """Changes the statements."""
    whole = Whole(statements)
    chosen: dict[int, Callee] = {}
    for callee in whole.callees:
        if isinstance(callee.node, ast.FunctionDef) and callee.certain and _is_short(callee):
            chosen |= {id(call): callee for call in callee.calls}
    for statement in statements:
        _Expanded(chosen).visit(statement)


def _returned(node: ast.FunctionDef) -> ast.expr | None:
    """What a function that does nothing else returns."""
    body = node.body[0]
    if len(node.body) > 1 or node.decorator_list or node.name == "__init__":
        return None
    if isinstance(body, ast.Pass):
        return ast.Constant(None)
    return body.value if isinstance(body, ast.Return) and body.value is not None else None


def _is_short(callee: Callee) -> bool:
    assert isinstance(callee.node, ast.FunctionDef)
    found = _returned(callee.node)
    if found is None or any(isinstance(each, (*SCOPES, ast.Yield, ast.YieldFrom, ast.NamedExpr)) for each in walk(found)):
        return False
    names = {each.id for each in walk(found) if isinstance(each, ast.Name)}
    if callee.node.name in names:
        return False
    size, calls = _size(found), len(callee.calls)
    arguments = 2 * len(callee.parameters)
    return calls * size <= calls * (arguments + 4) + size + arguments + OVERHEAD


def _size(node: ast.expr) -> int:
    """Characters of an expression when names have one or two."""
    tree = copied(node)
    for each in walk(tree):
        if isinstance(each, ast.Name):
            each.id = "x"
    return len(ast.unparse(tree))


class _Expanded(Transformer):
    def __init__(self, chosen: dict[int, Callee]) -> None:
        self._chosen = chosen
        self._scopes: list[ast.AST] = []

    def visit_scope(self, node: Any) -> Any:
        self._scopes.append(node)
        self.generic_visit(node)
        self._scopes.pop()
        return node

    visit_FunctionDef = visit_Lambda = visit_ClassDef = visit_scope
    visit_ListComp = visit_SetComp = visit_DictComp = visit_GeneratorExp = visit_scope

    def visit_Call(self, node: ast.Call) -> ast.expr:
        callee = self._chosen.get(id(node))
        self.generic_visit(node)
        if callee is None or not isinstance(callee.node, ast.FunctionDef):
            return node
        found, given = _returned(callee.node), callee.given(node)
        if found is None or given is None:
            return node
        values = {**callee.defaults, **given}
        own = callee.node.args.args[:1]
        if own and own[0].arg == "self":
            if not (isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Name)):
                return node
            values["self"] = node.func.value
        names = {each.id for each in walk(found) if isinstance(each, ast.Name)}
        hidden = {name for name in names - values.keys() if hasattr(builtins, name)}
        missing = set(callee.parameters) - values.keys()
        missing |= {name for name, value in callee.defaults.items() if name not in given and not is_idle(value)}
        if missing or not _may_move(found, values, given):
            return node
        if hidden and any(hidden & scope_of(each).bound.keys() for each in self._scopes):
            return node
        return _Placed(values).visit(copied(found))


def _may_move(found: ast.expr, values: dict[str, ast.expr], given: dict[str, ast.expr]) -> bool:
    """Whether arguments can stand where the expression names them."""
    counts = {name: sum(isinstance(each, ast.Name) and each.id == name for each in walk(found)) for name in values}
    moved = {name: value for name, value in values.items() if not (isinstance(value, ast.Name) or is_literal(value))}
    if not moved:
        return True
    if all(is_idle(value) for value in moved.values()):
        inner = [each for each in walk(found) if isinstance(each, ast.Call) and each is not found]
        return not inner and all(counts[name] <= 1 for name in moved)
    return _is_passed_on(found, [*given])


def _is_passed_on(found: ast.expr, parameters: list[str]) -> bool:
    """Whether an expression is a call of something global with names alone, and the parameters in their order."""
    if not isinstance(found, ast.Call):
        return False
    func = root_of(found.func)
    parts = [*found.args, *(each.value for each in found.keywords)]
    if (
        not isinstance(func, ast.Name)
        or func.id in parameters
        or not all(isinstance(each, ast.Name | ast.Constant) for each in parts)
    ):
        return False
    return [each.id for each in parts if isinstance(each, ast.Name) and each.id in parameters] == parameters


class _Placed(Transformer):
    def __init__(self, values: dict[str, ast.expr]) -> None:
        self._values = values

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return copied(self._values[node.id]) if node.id in self._values else node
