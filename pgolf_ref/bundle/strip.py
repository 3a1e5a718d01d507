"""What a program does not read of its own text: docstrings and annotations. The fields of dataclasses stay fields."""

import ast
from typing import Any

FIELD = "0"  # the annotation of a field, which its class needs and nobody reads


class _Stripped(ast.NodeTransformer):
    def __init__(self) -> None:
        self._fields = False

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        node.returns = None
        return self._inside(node, False)

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.ClassDef:
        return self._inside(node, is_dataclass(node))

    def visit_arg(self, node: ast.arg) -> ast.arg:
        node.annotation = None
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.stmt | None:
        if self._fields:
            node.annotation = ast.Constant(int(FIELD))
            return node
        return ast.Assign([node.target], node.value) if node.value is not None else None

    def _inside(self, node: Any, fields: bool) -> Any:
        before, self._fields = self._fields, fields
        self.generic_visit(node)
        self._fields = before
        node.body = [each for each in node.body if not _is_told(each)] or [ast.Pass()]
        return node


def is_dataclass(node: ast.ClassDef) -> bool:
    """Whether its annotations declare fields."""
    functions = [each.func if isinstance(each, ast.Call) else each for each in node.decorator_list]
    return any(isinstance(each, ast.Name) and each.id == "dataclass" for each in functions)


def stripped(statements: list[ast.stmt]) -> list[ast.stmt]:
    """The statements without what only people and type checkers read; they are changed."""
    found = [_Stripped().visit(statement) for statement in statements]
    return [ast.fix_missing_locations(statement) for statement in found if statement is not None and not _is_told(statement)]


def _is_told(node: ast.stmt) -> bool:
    """A statement that is a value alone, such as a docstring."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
