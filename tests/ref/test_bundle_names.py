"""Names of parameters that nothing outside a function sees may become any other; calls then go by position."""

import ast

import pytest

from pgolf_ref.bundle.attributes import own_attributes, shortened
from pgolf_ref.bundle.messages import without_advice
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


RENAMED = [
    ("class C:\n def __init__(self): self.long = 1\n def method(self): return self.long", "class C:\n def __init__(self): self.a = 1\n def b(self): return self.a"),
    ("@dataclass\nclass D:\n field: 0\ndef f(d: D): return d.field, D(field=1)", "@dataclass\nclass D:\n a: 0\ndef f(d: D): return d.a, D(a=1)"),
]  # fmt: skip
KEPT = [
    "class C(Module):\n def __init__(self): self.long = 1",  # the base may use it
    "class C:\n def __init__(self): self.long = 1\ndef f(c): return c.long",  # c may be of any class
    "class C:\n def __init__(self): self.long = 1\ndef f(c): c.long = 2",
    "class C:\n def __init__(self): self.long = 1\ndef f(c): return getattr(c, 'long')",
    "class C:\n long = 2\n def __init__(self): self.long = 1",
]


@pytest.mark.parametrize(("text", "wanted"), [*RENAMED, *((text, text) for text in KEPT)])
def test_attributes_of_our_own_classes_get_short_names(text: str, wanted: str) -> None:
    statements = ast.parse(text).body
    shortened(statements, own_attributes(statements))
    assert ast.unparse(ast.Module(statements, [])) == ast.unparse(ast.parse(wanted))


def test_errors_say_what_is_wrong_but_not_what_to_do() -> None:
    text = "raise E(f'{a}: no {b} in it: look elsewhere')\nraise E(f'no: {a}')\nraise E('no')\nprint('x: y')"
    statements = ast.parse(text).body
    without_advice(statements)
    assert ast.unparse(ast.Module(statements, [])) == ast.unparse(ast.parse(text.replace(": look elsewhere", "")))
