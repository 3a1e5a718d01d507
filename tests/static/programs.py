"""Hypothesis strategies for sources of Python 3.11 and later, with odd but valid layout."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from hypothesis import strategies as st

_Option = TypeVar("_Option")

NAMES = ["a", "b", "c", "x", "f_", "é", "match", "case", "type", "_"]
NUMBERS = ["0", "1", "1_000", "0xFf", "0b1_0", "0o17", "1.", ".5", "1e5", "1_0.5E-3", "2j", "10**9"]
STRINGS = [
    "'s'", '"d"', "''", 'r"\\n"', "'\\n\\x41\\'\\q'", "'''t\n\"r'i'''", '"""a\n# no comment"""', "u'u'", "'a' \"b\"", "'a\\\nb'",
    "'\\N{DIGIT ONE}'", "'{}'", 'f"{a}"', "f'{a!r:>{b}}{{x}}'", "f'''{\na\n}\n{b = }'''", "rf'\\{a}\\n'", "f'{a:%H:%M}' 'tail'", "f''",
    "f'{ {1: a}[1] }'", "f'\\N{DIGIT ONE}{a!s}{(lambda: 1)()}'", "b'b'", "rb'\\x'", "b'\\x41\\'' b\"c\"",
]  # fmt: skip
OTHERS = ["()", "[]", "{}", "...", "True", "None"]
ATOMS = [NAMES, NAMES, NUMBERS, STRINGS, OTHERS]
# In the forms: E an expression, T a target, and the letters of LISTS.
LISTS = {
    "N": NAMES,
    "B": ["", " ", "  ", " \\\n "],
    "G": ["", " ", "\n", " # ( comment '\n ", "\t"],
    "A": ["+", "-", "*", "/", "//", "%", "@", "**", "&", "|", "^", "<<", ">>"],
    "C": ["<", ">", "==", "<=", ">=", "!=", " in ", " not in ", " is ", " is not "],
    "S": ["", "", "*"],
    "T": ["a", "a.b", "a[0]", "(a, b)", "[a, *b]", "a, (b, c)", "((a))", "*a, b", "(a).b"],
}
FORMS = [
    "E A E", "E A E A E A E", "(E A E)A(E A E)", "E C E", "E C E C E", "E and E", "E or E and E or E", "(E or E)or E", "not E", "-E", "~ - E",
    "E if E else E", "E if E else E if E else E", "(GEG)", "((E), E)", "(SE, SE,G)", "(SE,)", "[GSE, SE]", "{SE, E}", "{E: E, **E,}", "(E).BN",
    "NB(GG)", "(E)(SE, k=E, *E, **E)", "NB.BN(E)(E)\\\n.N()", "(E)(E for N in E)", "(E for N in E if E if E)", "[E for N, *N in E for N in E]",
    "{E for N[E] in E}", "{E: E for N in E}", "N[E]", "(E)[E:E, ::E]", "N[:]", "N[E,]", "N[:E][...]", "(lambda: E)",
    "(lambda a, /, b=E, *c, d=E, **e: E)", "(N := E)", "f'{N!r:>{N}}{N}'", 'f"""{(N C N)}\n{N[N] = }"""',
]  # fmt: skip
SMALL = [
    "E", "E", "T = E", "a = T = E", "T = T = E, E", "a += E", "a.b **= E", "a[E] //= E", "a: N = E", "assert E, E", "raise E from a", "pass",
    "del a, (b, c[E])", "import a.b, c as d", "from . import a", "from ..m import (a as b, c,)", "x: N", "return", "return E, E", "yield",
    "N = yield E", "break", "continue",
]  # fmt: skip
BLOCKS = [
    ["if E:", "elif E:", "else:"], ["if (E):"], ["for T in E:", "else:"], ["while E:"], ["with E as a, (E):"], ["with (E as a, E as b.c,):"],
    ["try:", "except E as e:", "except:", "else:", "finally:"], ["try:", "except* E:"], ["@E", "def f(a, b: 'note' = E, *c: N, d, **e) -> N:"],
    ["async def f():"], ["@a", "", "# between", "@b.c(E)", "class c(a, *E, metaclass=E, **E):"],
    ["match E:", "  case 1 | 'a' as b if E:", "  case [a, *_]:", "  case {1: a, **b}:", "  case a.b(c, d=(1)):", "  case _:"],
]  # fmt: skip


class _Writer:
    """Fills the letters of a form; expressions run out, so that sources stay small."""

    def __init__(self, draw: st.DrawFn) -> None:
        self.draw = draw
        self.left = 40

    def choose(self, most: int) -> int:
        return self.draw(st.integers(0, most))

    def pick(self, options: Sequence[_Option]) -> _Option:
        return options[self.choose(len(options) - 1)]

    def expression(self, depth: int) -> str:
        self.left -= 1
        if depth <= 0 or self.left < 0 or self.choose(3) == 0:
            return self.pick(self.pick(ATOMS))
        form = self.fill(self.pick(FORMS), depth - 1)
        return f"({form})" if self.choose(1) else form

    def fill(self, form: str, depth: int) -> str:
        return "".join(self.expression(depth) if c == "E" else self.pick(LISTS[c]) if c in LISTS else c for c in form)

    def line(self) -> str:
        parts = [self.fill(self.pick(SMALL), 3) for _ in range(1 + self.choose(1))]
        return "; ".join(parts) + self.pick(["", "", ";", "  # comment"])

    def block(self, depth: int) -> list[str]:
        lines: list[str] = []
        for _ in range(1 + self.choose(1)):
            if depth <= 0 or self.left < 0 or self.choose(1):
                lines.append(self.line())
                continue
            for head in self.pick(BLOCKS):
                lines.append(self.fill(head, 2))
                if head.endswith(":") and not head.startswith("match"):
                    indent = " " * (2 + len(head) - len(head.lstrip()))
                    lines += [indent + line for line in self.block(depth - 1)]
        return lines


@st.composite
def programs(draw: st.DrawFn) -> str:
    return "".join(f"{line}\n" for line in _Writer(draw).block(3))
