"""Expressions whose value is known, and the statements that they choose between."""

import ast
import math
from typing import Any

from pgolf_ref.bundle.trees import Transformer, walk

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
SHAPES = (ast.Constant, ast.Tuple, ast.List, ast.Name)
IDLE = (ast.Constant, ast.Name, ast.Attribute, ast.Compare, ast.BoolOp, ast.UnaryOp)
BLOCKS = (ast.stmt, ast.ExceptHandler)
ENDS = (ast.Return, ast.Raise, ast.Continue, ast.Break)


class Fold(Transformer):
    """Computes what consists of literals, keeps the branches that are taken, and drops what follows the end of a block."""

    def generic_visit(self, node: ast.AST) -> ast.AST:
        super().generic_visit(node)
        for name in ("body", "orelse", "finalbody") if isinstance(node, BLOCKS) else ():
            block = getattr(node, name, None)
            if isinstance(block, list):
                end = next((number + 1 for number, each in enumerate(block) if isinstance(each, ENDS)), len(block))
                setattr(node, name, block[:end] or ([ast.Pass()] if name == "body" else []))
        if isinstance(node, ast.Compare) and _looks_in_nothing(node):
            return ast.Constant(isinstance(node.ops[0], ast.NotIn))
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
        self.generic_visit(node)
        if _is_empty(node.orelse):
            node.orelse = []
        if _is_empty(node.body) and not node.orelse and is_idle(node.test):
            return []
        return node

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.expr:
        self.generic_visit(node)
        parts = [_text(each) for each in node.values]
        kept: list[ast.expr | str] = []
        for each, text in zip(node.values, parts, strict=True):
            if text is not None and kept and isinstance(kept[-1], str):
                kept[-1] += text
            else:
                kept.append(each if text is None else text)
        values = [ast.Constant(each) if isinstance(each, str) else each for each in kept]
        known = [each for each in values if isinstance(each, ast.Constant)]
        return (known or [ast.Constant("")])[0] if len(values) == len(known) else ast.JoinedStr(values)

    def visit_With(self, node: ast.With) -> Any:
        self.generic_visit(node)
        node.items = [each for each in node.items if not _does_nothing(each)]
        return node if node.items else node.body

    def visit_For(self, node: ast.For) -> Any:
        node.iter = self.visit(node.iter)
        if is_literal(node.iter) and not value_of(node.iter):
            return [found for each in node.orelse for found in _list(self.visit(each))]
        return self.generic_visit(node)


def _list(found: Any) -> list[Any]:
    return found if isinstance(found, list) else [] if found is None else [found]


def _looks_in_nothing(node: ast.Compare) -> bool:
    """`x in ()`"""
    place = node.comparators[0]
    asks = len(node.ops) == 1 and isinstance(node.ops[0], ast.In | ast.NotIn) and is_idle(node.left)
    return asks and isinstance(place, ast.Tuple) and not place.elts


def _is_empty(block: list[ast.stmt]) -> bool:
    return all(isinstance(each, ast.Pass) for each in block)


def _text(part: ast.expr) -> str | None:
    """A part of an f-string that is known."""
    if isinstance(part, ast.Constant):
        return str(part.value)
    assert isinstance(part, ast.FormattedValue)
    if part.format_spec is not None or part.conversion != -1 or not isinstance(part.value, ast.Constant):
        return None
    return str(part.value.value) if isinstance(part.value.value, str | int) else None


def _does_nothing(item: ast.withitem) -> bool:
    """`nullcontext()`, whose value nobody takes."""
    call = item.context_expr
    named = (
        isinstance(call, ast.Call)
        and isinstance(call.func, ast.Name)
        and call.func.id in ("nullcontext", "!contextlib:nullcontext")
    )
    return named and item.optional_vars is None


def is_idle(node: ast.AST) -> bool:
    """Whether an expression does nothing but give a value."""
    return all(isinstance(each, IDLE) for each in walk(node))


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
        return decides if all(map(is_idle, test.values)) and bool(value_of(test.values[-1])) is decides else None
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
    if not _is_computable(node):
        return node
    try:
        value = eval(compile(ast.fix_missing_locations(ast.Expression(node)), "", "eval"), {"__builtins__": {}}, PURE)
    except (TypeError, ValueError, ArithmeticError, LookupError):
        return node
    return node if isinstance(value, str) else literal(value) or node  # texts may be long: `"=" * 100`


def _is_computable(node: ast.expr) -> bool:
    """Whether it consists of literals and calls of what is PURE; told at the first part that is neither, as most are."""
    callees: set[ast.expr] = set()
    for each in walk(node):  # a call comes before what it calls
        if isinstance(each, ast.Call):
            if each.keywords:
                return False
            callees.add(each.func)
        elif isinstance(each, ast.Name):
            if each not in callees or each.id not in PURE:
                return False
        elif not isinstance(each, (*EVALUATED, *SHAPES)):
            return False
    return True


def is_none(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and node.value is None
