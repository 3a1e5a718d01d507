"""Source in Python 3.12's grammar of f-strings, written anew without f-strings.

`f"a{x!r:>{w}}"` becomes `"".join(("a", format(repr(x), "".join((">", format(w, ""))))))`, in which any quotes may nest. Runs in the
sandbox alone.
"""

from __future__ import annotations

import ast
from typing import Any

import libcst as cst

CONVERSIONS = {"r": "repr", "s": "str", "a": "ascii"}


class _WithoutFormatted(cst.CSTTransformer):
    """Every formatted string, and every concatenation that holds one, as a call."""

    def visit_FormattedString(self, node: cst.FormattedString) -> bool:
        return False

    def visit_ConcatenatedString(self, node: cst.ConcatenatedString) -> bool:
        return False

    def leave_FormattedString(self, node: cst.FormattedString, _: cst.FormattedString) -> cst.BaseExpression:
        return self._joined(node)

    def leave_ConcatenatedString(self, node: cst.ConcatenatedString, _: cst.ConcatenatedString) -> cst.BaseExpression:
        return self._joined(node) if any(isinstance(part, cst.FormattedString) for part in _strings(node)) else node

    def _joined(self, node: cst.BaseString) -> cst.BaseExpression:
        parts: list[cst.BaseExpression] = []
        for string in _strings(node):
            if isinstance(string, cst.FormattedString):
                parts += self._parts(string.parts, "r" in string.prefix.lower())
            else:
                parts.append(string)
        return _join(parts)

    def _parts(self, content: Any, raw: bool) -> list[cst.BaseExpression]:
        return [part for piece in content for part in self._part(piece, raw)]

    def _part(self, piece: Any, raw: bool) -> list[cst.BaseExpression]:
        if isinstance(piece, cst.FormattedStringText):
            return [_literal(piece.value, raw)]
        value = piece.expression.visit(self)
        conversion, told = piece.conversion, []
        if piece.equal is not None:
            shown = cst.Module([]).code_for_node(piece.expression)
            told = [cst.SimpleString(repr(f"{piece.whitespace_before_expression.value}{shown}{_equal(piece.equal)}"))]
            conversion = conversion or ("r" if piece.format_spec is None else None)
        if conversion is not None:
            value = _call(CONVERSIONS[conversion], value)
        layout = _join(self._parts(piece.format_spec or (), raw))
        return [*told, _call("format", value, layout)]


def _strings(node: cst.BaseString) -> list[cst.BaseString]:
    if isinstance(node, cst.ConcatenatedString):
        return [*_strings(node.left), *_strings(node.right)]
    return [node]


def _join(parts: list[cst.BaseExpression]) -> cst.BaseExpression:
    joined = cst.Attribute(cst.SimpleString('""'), cst.Name("join"))
    return cst.Call(joined, [cst.Arg(cst.Tuple([cst.Element(part) for part in parts]))])


def _call(name: str, *values: cst.BaseExpression) -> cst.BaseExpression:
    return cst.Call(cst.Name(name), [cst.Arg(value) for value in values])


def _literal(text: str, raw: bool) -> cst.BaseExpression:
    text = text.replace("{{", "{").replace("}}", "}")
    if not raw:
        text = ast.literal_eval(f'"""{_escaped(text)}"""')
    return cst.SimpleString(repr(text))


def _escaped(text: str) -> str:
    """The text of a string as it may stand between three double quotes; a quote after a backslash is so already."""
    parts, escape = [], False
    for letter in text:
        parts.append("\\" + letter if letter == '"' and not escape else letter)
        escape = letter == "\\" and not escape
    return "".join(parts)


def _equal(equal: cst.AssignEqual) -> str:
    return cst.Module([]).code_for_node(equal)


def in_older_grammar(source: str) -> str:
    """Source without f-strings. Raises cst.ParserSyntaxError if it is no Python at all."""
    return cst.parse_module(source).visit(_WithoutFormatted()).code
