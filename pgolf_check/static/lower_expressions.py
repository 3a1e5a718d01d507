"""Lowering of expressions: one function per libcst class, called in source order so that the tokens run beside the tree.

The place of an expression is its first token (its own parentheses excluded), but an attribute's is the attribute's name, and a call's is
the place of what is called: `a.b(c)` stands where `b` stands, so that a chain over several lines is reported where each link is.
Chains that are long in practice (operators, comparisons, conditional expressions, strings) are walked without recursion.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from typing import Any

import libcst as cst

from pgolf_check.static import ir, literals
from pgolf_check.static.positions import CannotParse
from pgolf_check.static.scopes import Walk

UNARY = {cst.Minus: "-", cst.Plus: "+", cst.BitInvert: "~", cst.Not: "not"}
BINARY = {
    cst.Add: "+",
    cst.Subtract: "-",
    cst.Multiply: "*",
    cst.Divide: "/",
    cst.FloorDivide: "//",
    cst.Modulo: "%",
    cst.Power: "**",
    cst.MatrixMultiply: "@",
    cst.BitAnd: "&",
    cst.BitOr: "|",
    cst.BitXor: "^",
    cst.LeftShift: "<<",
    cst.RightShift: ">>",
}
COMPARE = {
    cst.LessThan: "<",
    cst.GreaterThan: ">",
    cst.Equal: "==",
    cst.LessThanEqual: "<=",
    cst.GreaterThanEqual: ">=",
    cst.NotEqual: "!=",
    cst.In: "in",
    cst.NotIn: "not in",
    cst.Is: "is",
    cst.IsNot: "is not",
}
CONSTANTS = {"True": True, "False": False, "None": None}


def expression(w: Walk, node: Any) -> ir.Node:
    return EXPRESSIONS[type(node)](w, node)


def test(w: Walk, node: Any) -> ir.Node:
    """An expression whose truth decides something."""
    w.testing += 1
    lowered = EXPRESSIONS[type(node)](w, node)
    w.testing -= 1
    return lowered


def identifier(w: Walk, node: cst.Name) -> str:
    """The name in a place that is no expression (a parameter, a keyword, an imported name)."""
    w.take(node.value)
    return normal(node.value)


def normal(name: str) -> str:
    """Python compares identifiers in this form."""
    return name if name.isascii() else unicodedata.normalize("NFKC", name)


def dotted(w: Walk, node: Any) -> str:
    parts = []
    while isinstance(node, cst.Attribute):
        parts.append(node.attr)
        node = node.value
    parts.append(node)
    return ".".join(identifier(w, part) for part in reversed(parts))


def _name(w: Walk, node: cst.Name) -> ir.Node:
    name = node.value
    at = w.take(name)
    if name in CONSTANTS:
        return ir.Const(at, CONSTANTS[name])
    name = normal(name)
    if w.testing:
        w.tested.add(name)
    return ir.Name(at, name)


def _ellipsis(w: Walk, node: cst.Ellipsis) -> ir.Node:
    return ir.Const(w.take("..."), ...)


def _literal(read: Callable[[str], Any]) -> Callable[[Walk, Any], ir.Node]:
    def lowered(w: Walk, node: Any) -> ir.Node:
        at = w.take(node.value)
        return ir.Const(at, valued(read, node.value, at))

    return lowered


def valued(read: Callable[[str], Any], text: str, at: int) -> Any:
    try:
        return read(text)
    except ValueError as error:
        raise CannotParse(f"not a literal: {str(error)[:120]}", *ir.place(at)) from None


def _attribute(w: Walk, node: cst.Attribute) -> ir.Node:
    if node.lpar:
        w.begin(len(node.lpar))
    obj = expression(w, node.value)
    name = node.attr.value
    return ir.Attr(w.take(name), obj, normal(name))


def _call(w: Walk, node: cst.Call) -> ir.Node:
    if node.lpar:
        w.begin(len(node.lpar))
    func = expression(w, node.func)
    w.take("(")
    return ir.Call(func.at, func, tuple([argument(w, arg) for arg in node.args]))


def argument(w: Walk, node: cst.Arg) -> ir.Arg:
    star = node.star
    if star:
        w.take(star)
    keyword = None if node.keyword is None else identifier(w, node.keyword)
    return ir.Arg(expression(w, node.value), keyword, star)


def _subscript(w: Walk, node: cst.Subscript) -> ir.Node:
    at = w.begin(len(node.lpar))
    obj = expression(w, node.value)
    w.take("[")
    elements = node.slice
    if len(elements) == 1 and not isinstance(elements[0].comma, cst.Comma):
        return ir.Index(at, obj, _element_of_index(w, elements[0].slice))
    inner = w.begin()
    return ir.Index(at, obj, ir.Display(inner, "tuple", tuple([_element_of_index(w, e.slice) for e in elements])))


def _element_of_index(w: Walk, node: cst.BaseSlice) -> ir.Node:
    if isinstance(node, cst.Index):
        if node.star:
            return ir.Starred(w.take("*"), expression(w, node.value))
        return expression(w, node.value)
    assert isinstance(node, cst.Slice)
    at = w.begin()
    lower = None if node.lower is None else expression(w, node.lower)
    w.take(":")
    upper = None if node.upper is None else expression(w, node.upper)
    if isinstance(node.second_colon, cst.Colon):
        w.take(":")
    return ir.Slice(at, lower, upper, None if node.step is None else expression(w, node.step))


def _unary(w: Walk, node: Any) -> ir.Node:
    signs = []
    while isinstance(node, cst.UnaryOperation):
        op = UNARY[type(node.operator)]
        signs.append((w.take(op), op))
        w.testing += op == "not"
        node = node.expression
    lowered = expression(w, node)
    for at, op in reversed(signs):
        w.testing -= op == "not"
        lowered = ir.Unary(at, op, lowered)
    return lowered


def _binary(w: Walk, node: Any) -> ir.Node:
    spine = []
    while isinstance(node, cst.BinaryOperation):
        spine.append((w.begin(len(node.lpar)), BINARY[type(node.operator)], node.right))
        node = node.left
    lowered = expression(w, node)
    for at, op, right in reversed(spine):
        w.take(op)
        lowered = ir.Binary(at, op, lowered, expression(w, right))
    return lowered


def _comparison(w: Walk, node: cst.Comparison) -> ir.Node:
    at = w.begin(len(node.lpar))
    w.testing += 1
    left = expression(w, node.left)
    ops, rights = [], []
    for part in node.comparisons:
        op = COMPARE[type(part.operator)]
        for word in op.split():
            w.take(word)
        ops.append(op)
        rights.append(expression(w, part.comparator))
    w.testing -= 1
    return ir.Compare(at, left, tuple(ops), tuple(rights))


def _boolean(w: Walk, node: cst.BooleanOperation) -> ir.Node:
    kind = type(node.operator)
    op = "and" if kind is cst.And else "or"
    values: list[ir.Node] = []
    pending: list[tuple[Any, bool]] = [(node, False)]
    at = 0
    w.testing += 1
    while pending:
        part, joined = pending.pop()
        if joined:
            w.take(op)
        if isinstance(part, cst.BooleanOperation) and type(part.operator) is kind:
            begin = w.begin(len(part.lpar))
            at = at or begin
            pending += ((part.right, True), (part.left, False))
        else:
            values.append(expression(w, part))
    w.testing -= 1
    return ir.Bool(at, op, tuple(values))


def _conditional(w: Walk, node: Any) -> ir.Node:
    chain = []
    while isinstance(node, cst.IfExp):
        at = w.begin(len(node.lpar))
        body = expression(w, node.body)
        w.take("if")
        chain.append((at, body, test(w, node.test)))
        w.take("else")
        node = node.orelse
    lowered = expression(w, node)
    for at, body, condition in reversed(chain):
        lowered = ir.IfExp(at, condition, body, lowered)
    return lowered


def element(w: Walk, node: Any) -> ir.Node:
    """An element of a display."""
    if isinstance(node, cst.StarredElement):
        return ir.Starred(w.take("*"), expression(w, node.value))
    return expression(w, node.value)


def _tuple(w: Walk, node: cst.Tuple) -> ir.Node:
    at = _begin_tuple(w, node)
    return ir.Display(at, "tuple", tuple([element(w, e) for e in node.elements]))


def _begin_tuple(w: Walk, node: cst.Tuple) -> int:
    """The first element, or the parentheses of the empty tuple."""
    if node.elements:
        return w.begin(len(node.lpar))
    w.begin(len(node.lpar) - 1)
    return w.take("(")


def _list(w: Walk, node: cst.List) -> ir.Node:
    return ir.Display(w.take("["), "list", tuple([element(w, e) for e in node.elements]))


def _set(w: Walk, node: cst.Set) -> ir.Node:
    return ir.Display(w.take("{"), "set", tuple([element(w, e) for e in node.elements]))


def _dict(w: Walk, node: cst.Dict) -> ir.Node:
    at = w.take("{")
    items: list[tuple[ir.Node | None, ir.Node]] = []
    for part in node.elements:
        if isinstance(part, cst.StarredDictElement):
            w.take("**")
            items.append((None, expression(w, part.value)))
        else:
            assert isinstance(part, cst.DictElement)
            key = expression(w, part.key)
            w.take(":")
            items.append((key, expression(w, part.value)))
    return ir.DictDisplay(at, tuple(items))


def target(w: Walk, node: Any, bound: set[str]) -> ir.Node:
    """An assignment target; the names that it binds go to `bound`."""
    kind = type(node)
    if kind is cst.Name:
        at = w.take(node.value)
        name = normal(node.value)
        bound.add(name)
        return ir.Name(at, name)
    if kind in (cst.Tuple, cst.List):
        at = w.take("[") if kind is cst.List else _begin_tuple(w, node)
        items = tuple([target(w, e if isinstance(e, cst.StarredElement) else e.value, bound) for e in node.elements])
        return ir.Display(at, "tuple" if kind is cst.Tuple else "list", items)
    if kind is cst.StarredElement:
        return ir.Starred(w.take("*"), target(w, node.value, bound))
    return expression(w, node)


def _walrus(w: Walk, node: cst.NamedExpr) -> ir.Node:
    at = w.begin(len(node.lpar))
    assert isinstance(node.target, cst.Name)
    name = identifier(w, node.target)
    w.scope.bound.add(name)
    if w.testing:
        w.tested.add(name)
    w.take(":=")
    return ir.Walrus(at, name, expression(w, node.value))


def _yield(w: Walk, node: cst.Yield) -> ir.Node:
    at = w.take("yield")
    w.scope.generator = True
    value: Any = node.value
    delegate = isinstance(value, cst.From)
    if delegate:
        w.take("from")
        value = value.item
    return ir.Yield(at, None if value is None else expression(w, value), delegate)


def _await(w: Walk, node: cst.Await) -> ir.Node:
    return ir.Await(w.take("await"), expression(w, node.expression))


def _starred(w: Walk, node: cst.StarredElement) -> ir.Node:
    return ir.Starred(w.take("*"), expression(w, node.value))


EXPRESSIONS: dict[type, Callable[[Walk, Any], ir.Node]] = {
    cst.Name: _name,
    cst.Attribute: _attribute,
    cst.Call: _call,
    cst.Subscript: _subscript,
    cst.Integer: _literal(literals.integer),
    cst.Float: _literal(literals.real),
    cst.Imaginary: _literal(literals.imaginary),
    cst.Ellipsis: _ellipsis,
    cst.BinaryOperation: _binary,
    cst.UnaryOperation: _unary,
    cst.BooleanOperation: _boolean,
    cst.Comparison: _comparison,
    cst.IfExp: _conditional,
    cst.Tuple: _tuple,
    cst.List: _list,
    cst.Set: _set,
    cst.Dict: _dict,
    cst.NamedExpr: _walrus,
    cst.Yield: _yield,
    cst.Await: _await,
    cst.StarredElement: _starred,
}
