"""From the text of a Python source to the compact form of `ir`: one parse by libcst, one walk beside the tokens.

Nothing of the text is ever executed or evaluated. What cannot be lowered raises `CannotParse`, and nothing else is raised.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pgolf_check.static import ir
from pgolf_check.static.limits import check_nesting, check_size
from pgolf_check.static.positions import CannotParse, Tokens
from pgolf_check.static.recursion import recursion

if TYPE_CHECKING:
    import libcst

__all__ = ["CannotParse", "lower"]

_DEPTH = 6_000


def lower(text: str) -> ir.Module:
    """The compact form of a source, whatever its line ends and with or without a byte order mark."""
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    check_size(text)
    tokens = Tokens(text)
    check_nesting(tokens)
    try:
        with recursion(_DEPTH):
            return _lowered(_parsed(text, tokens), tokens)
    except RecursionError:
        raise CannotParse("an expression or a block is nested too deep", 1, 1) from None


def _parsed(text: str, tokens: Tokens) -> libcst.Module:
    import libcst

    from pgolf_check.static.diagnosis import refusal
    from pgolf_check.static.repair import spaced

    try:
        return libcst.parse_module(text)
    except (libcst.ParserSyntaxError, libcst.CSTValidationError) as error:
        reason = refusal(error, tokens) if isinstance(error, libcst.ParserSyntaxError) else CannotParse(f"{error}", 1, 1)
    except UnicodeEncodeError as error:
        line = text.count("\n", 0, error.start) + 1
        raise CannotParse("a surrogate is no character of a source", line, error.start - text.rfind("\n", 0, error.start)) from None
    try:
        return libcst.parse_module(spaced(tokens))
    except (libcst.ParserSyntaxError, libcst.CSTValidationError):
        raise reason from None


def _lowered(module: libcst.Module, tokens: Tokens) -> ir.Module:
    from pgolf_check.static import lower_functions, lower_strings
    from pgolf_check.static.lower_statements import statements
    from pgolf_check.static.scopes import Walk

    lower_functions.install()
    lower_strings.install()
    walk = Walk(tokens)
    body = statements(walk, module.body)
    return ir.Module(body, frozenset(walk.scope.bound))
