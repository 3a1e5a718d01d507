"""What a program does not read of its own text: docstrings, annotations, and `slots`. The fields of dataclasses stay fields."""

import ast
from collections.abc import Iterable
from typing import Any

from pgolf_ref.bundle.trees import Transformer

FIELD = "0"  # the annotation of a field, which its class needs and nobody reads


class _Stripped(Transformer):
    def __init__(self, classes: bool) -> None:
        self._fields, self._classes = False, classes

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        node.returns = None
        return self._inside(node, False)

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.ClassDef:
        for each in node.decorator_list:
            if isinstance(each, ast.Call):
                each.keywords = [given for given in each.keywords if given.arg != "slots"]
        return self._inside(node, is_dataclass(node))

    def visit_arg(self, node: ast.arg) -> ast.arg:
        node.annotation = self._kept(node.annotation)
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.stmt | None:
        if self._fields:
            node.annotation = self._kept(node.annotation) or ast.Constant(int(FIELD))
            return node
        return ast.Assign([node.target], node.value) if node.value is not None else None

    def _kept(self, node: ast.expr | None) -> ast.expr | None:
        return class_name(node) if self._classes else None

    def _inside(self, node: Any, fields: bool) -> Any:
        before, self._fields = self._fields, fields
        self.generic_visit(node)
        self._fields = before
        node.body = [each for each in node.body if not _is_told(each)] or [ast.Pass()]
        return node


def is_dataclass(node: ast.ClassDef) -> bool:
    """Whether its annotations declare fields."""
    functions = [each.func if isinstance(each, ast.Call) else each for each in node.decorator_list]
    return any(isinstance(each, ast.Name) and each.id.rpartition(":")[2] == "dataclass" for each in functions)


def class_name(node: ast.expr | None) -> ast.Name | None:
    """The class that an annotation names, alone or beside None."""
    if isinstance(node, ast.BinOp) and isinstance(node.right, ast.Constant) and node.right.value is None:
        return class_name(node.left)
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.isidentifier():
        return ast.Name(node.value, ast.Load())
    return node if isinstance(node, ast.Name) else None


def declared(node: ast.ClassDef) -> list[str]:
    """The names that a class declares with annotations: the fields of a dataclass."""
    return [each.target.id for each in node.body if isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name)]


def stripped(statements: Iterable[ast.stmt], *, classes: bool = False) -> list[ast.stmt]:
    """The statements without what only people and type checkers read; they are changed. With `classes`, annotations that name one stay."""
    found = [_Stripped(classes).visit(statement) for statement in statements]
    return [ast.fix_missing_locations(statement) for statement in found if statement is not None and not _is_told(statement)]


def _is_told(node: ast.stmt) -> bool:
    """A statement that is a value alone, such as a docstring."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
