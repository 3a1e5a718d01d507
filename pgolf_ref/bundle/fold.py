"""Expressions whose value is known, and the statements that they choose between."""

import ast
import math
from typing import Any

PURE = {
    "len": len,
    "bool": bool,
    "min": min,
    "max": max,
    "int": int,
    "float": float,
    "abs": abs,
    "any": any,
    "all": all,
    "set": set,
}
EVALUATED = (ast.Compare, ast.BinOp, ast.UnaryOp, ast.Call, ast.Subscript)
SHAPES = (ast.Constant, ast.Tuple, ast.List, ast.Name, ast.expr_context, ast.operator, ast.unaryop, ast.cmpop)
IDLE = (
    ast.Constant,
    ast.Name,
    ast.Attribute,
    ast.Compare,
    ast.BoolOp,
    ast.UnaryOp,
    ast.expr_context,
    ast.cmpop,
    ast.boolop,
    ast.unaryop,
)
ENDS = (ast.Return, ast.Raise, ast.Continue, ast.Break)


class Fold(ast.NodeTransformer):
    """Computes what consists of literals, keeps the branches that are taken, and drops what follows the end of a block."""

    def generic_visit(self, node: ast.AST) -> ast.AST:
        super().generic_visit(node)
        for name in ("body", "orelse", "finalbody"):
            block = getattr(node, name, None)
            if isinstance(block, list) and not isinstance(node, ast.Module):
                end = next((number + 1 for number, each in enumerate(block) if isinstance(each, ENDS)), len(block))
                setattr(node, name, block[:end] or ([ast.Pass()] if name == "body" else []))
        if isinstance(node, EVALUATED):
            return evaluated(node)
        return node

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.expr:
        self.generic_visit(node)
        decides = isinstance(node.op, ast.Or)  # the truth of a value that ends the evaluation
        kept: list[ast.expr] = []
        for number, each in enumerate(node.values):
            if is_literal(each):
                if bool(value_of(each)) is decides:
                    kept.append(each)
                    break
                if number < len(node.values) - 1:
                    continue
            kept.append(each)
        return kept[0] if len(kept) == 1 else ast.BoolOp(node.op, kept)

    def visit_IfExp(self, node: ast.IfExp) -> ast.expr:
        self.generic_visit(node)
        known = truth(node.test)
        return node if known is None else node.body if known else node.orelse

    def visit_If(self, node: ast.If) -> Any:
        node.test = self.visit(node.test)
        known = truth(node.test)
        if known is not None:
            chosen = node.body if known else node.orelse
            return [found for each in chosen for found in _list(self.visit(each))]
        return self.generic_visit(node)

    def visit_For(self, node: ast.For) -> Any:
        node.iter = self.visit(node.iter)
        if is_literal(node.iter) and not value_of(node.iter):
            return [found for each in node.orelse for found in _list(self.visit(each))]
        return self.generic_visit(node)


def _list(found: Any) -> list[Any]:
    return found if isinstance(found, list) else [] if found is None else [found]


def is_literal(node: ast.AST) -> bool:
    """Whether it is a value that is written out and cannot change."""
    if isinstance(node, ast.Tuple):
        return all(map(is_literal, node.elts))
    if isinstance(node, ast.UnaryOp):
        return isinstance(node.op, ast.USub) and isinstance(node.operand, ast.Constant)
    return isinstance(node, ast.Constant)


def truth(test: ast.expr) -> bool | None:
    """Whether a test holds, where that is known; what comes before a false part of an `and` is left out if it does nothing."""
    if is_literal(test):
        return bool(value_of(test))
    if isinstance(test, ast.BoolOp) and is_literal(test.values[-1]):
        decides = isinstance(test.op, ast.Or)
        idle = all(isinstance(each, IDLE) for part in test.values for each in ast.walk(part))
        return decides if idle and bool(value_of(test.values[-1])) is decides else None
    return None


def value_of(node: ast.expr) -> Any:
    return ast.literal_eval(node)


def literal(value: Any) -> ast.expr | None:
    """The value written out, where it is one of the plain ones."""
    if isinstance(value, tuple):
        items = [literal(each) for each in value]
        return None if None in items else ast.Tuple([each for each in items if each is not None], ast.Load())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, int | float) and value < 0:
        return ast.UnaryOp(ast.USub(), ast.Constant(-value))
    return ast.Constant(value) if value is None or isinstance(value, bool | int | float | str) else None


def evaluated(node: Any) -> ast.expr:
    """The value of an operation on literals, or the operation where it is none or fails."""
    parts = list(ast.walk(node))
    calls = [each for each in parts if isinstance(each, ast.Call)]
    callees = [each.func for each in calls]
    if not all(isinstance(each, (*EVALUATED, *SHAPES)) for each in parts) or any(each.keywords for each in calls):
        return node
    names = {each.id for each in parts if isinstance(each, ast.Name) and each in callees}
    if names - PURE.keys() or any(isinstance(each, ast.Name) and each not in callees for each in parts):
        return node
    try:
        value = eval(compile(ast.fix_missing_locations(ast.Expression(node)), "", "eval"), {"__builtins__": {}}, PURE)
    except (TypeError, ValueError, ArithmeticError, LookupError):
        return node
    return node if isinstance(value, str) else literal(value) or node  # texts may be long: `"=" * 100`
