"""Names of parameters that nothing outside a function sees may become any other; calls then go by position."""

import ast

import pytest

from pgolf_ref.bundle.positional import positional


def placed(text: str) -> str:
    return ast.unparse(ast.fix_missing_locations(positional(ast.parse(text))))


PLACED = [
    ("def f(a, b=1): pass\nf(1, b=2)", "def f(a, b=1, /): pass\nf(1, 2)"),
    ("def f(a, b=1, c=2): pass\nf(1, c=2)", "def f(a, b=1, /, c=2): pass\nf(1, c=2)"),
    ("def f(a, b): pass\nf(b=x, a=y.z)\nf(b=g(), a=h())", "def f(a, b): pass\nf(y.z, x)\nf(b=g(), a=h())"),
    ("def f(a, *, b=1): pass\nf(1, b=2)", "def f(a, b=1, /): pass\nf(1, 2)"),
    ("def f(a, *, b): pass\nf(1, b=2)", "def f(a, /, *, b): pass\nf(1, b=2)"),
    ("def f(a, b): pass\nf(*x, b=2)", "def f(a, /, b): pass\nf(*x, b=2)"),
    ("def f(a, b): pass\nf(**x)\ndef g(a): pass", "def f(a, b): pass\nf(**x)\ndef g(a, /): pass"),
    ("def f(a): pass\ndef h(k): k(a=1)", "def f(a): pass\ndef h(k, /): k(a=1)"),
    ("import k\ndef f(a): pass\nk.x(a=1)\nmin(a=1)", "import k\ndef f(a, /): pass\nk.x(a=1)\nmin(a=1)"),
    (
        "class C:\n def __init__(self, a, b): self.d = b\n def m(self, c): pass\n def e(self, c): pass\nC(1, b=2).m(c=1)",
        "class C:\n def __init__(self, a, b, /): self.d = b\n def m(self, /, c): pass\n def e(self, c, /): pass\nC(1, 2).m(c=1)",
    ),
    ("class C:\n def m(self, a): self.k = f\ndef f(a): pass\nC().k(a=1)", "class C:\n def m(self, /, a): self.k = f\ndef f(a): pass\nC().k(a=1)"),
    ("@dataclass\nclass D:\n x: 0\n y: 0 = 1\nD(x=1, y=2)\nD(y=1, x=2)", "@dataclass\nclass D:\n x: 0\n y: 0 = 1\nD(1, 2)\nD(2, 1)"),
    ("f = lambda a, b: a", "f = lambda a, b, /: a"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "wanted"), PLACED)
def test_what_no_call_names_goes_by_position(text: str, wanted: str) -> None:
    assert placed(text) == ast.unparse(ast.parse(wanted))
