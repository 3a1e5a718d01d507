"""What the lowering knows while it walks: the tokens, the scopes that are open, and the names read in tests.

`Scope` collects the names bound in one function, class or module; comprehensions bind their targets apart, in a set that is thrown away.
"""

from __future__ import annotations

from pgolf_check.static.positions import Cursor, Tokens


class Scope:
    """Names of one scope, as they are found."""

    __slots__ = ("bound", "globals", "nonlocals", "generator")

    def __init__(self) -> None:
        self.bound: set[str] = set()
        self.globals: set[str] = set()
        self.nonlocals: set[str] = set()
        self.generator = False

    def locals(self) -> frozenset[str]:
        return frozenset(self.bound - self.globals - self.nonlocals)


class Walk(Cursor):
    """`scope` is the innermost function, class or module; `testing` counts the tests that enclose the expression at hand."""

    def __init__(self, tokens: Tokens) -> None:
        super().__init__(tokens)
        self.scope = Scope()
        self.testing = 0
        self.tested: set[str] = set()
