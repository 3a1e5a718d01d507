"""A whole program, smaller: what all of it agrees on, what nothing reads, and functions in place of their calls; it does what it did."""

import ast
from typing import Any

import pytest

from pgolf_ref.bundle.names import named
from pgolf_ref.bundle.shrink import shrunk
from pgolf_ref.bundle.strip import stripped

HEAD = "import dataclasses\nfrom dataclasses import dataclass, replace\nfrom contextlib import nullcontext\n"


UNIQUE = {"replace": "!dataclasses:replace", "dataclass": "!dataclasses:dataclass", "dataclasses": "!dataclasses"}


def smaller(text: str) -> str:
    """Definitions and, as the last line, what runs them."""
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            node.id = UNIQUE.get(node.id, node.id)
    *statements, last = stripped(tree.body, classes=True)
    return ast.unparse(named(stripped(shrunk(statements, last))))


def result(text: str) -> Any:
    names: dict[str, Any] = {"found": []}
    exec(HEAD + text, names)
    return names["found"]


SMALLER = [
    # parameters that all calls agree on, and those that nothing reads
    ("def f(a, b, c=3): g(); return a + b + c\ndef g(): found.append(1)\nfound.append((f(1, 2), f(x, 2)))", "x = 5\n"),
    ("def f(a, b):\n g(b)\n return 1 + a\ndef g(c): return found.append(7)\nfound.append([f(x, b=x.real), f(x, x)])", "x = 5\n"),
    ("def f(a):\n if a is None: return 1\n return h(a, a)\ndef h(a, b): return a * b\nfound.append(f(x) + f(None))", "x = 5\n"),
    ("def f(*a, b): return a, b\nfound.append(f(1, b=2))", ""),
    ("def f(a): return lambda b: a + b + k(a)\ndef k(a): return [b for b in range(a)][0]\nfound.append(f(3)(4))", ""),
    # functions as values keep their parameters
    ("def f(a, b=1): return 5\nfound.append([*map(f, (1, 2)), f(3, 4)])", ""),
    # fields and attributes
    ("@dataclass\nclass D:\n a: int\n b: int = 2\n c: int = 3\ndef f(d: D): return d.a + d.b\nfound.append(f(D(x)) + f(D(x, c=7)))", "x = 5\n"),
    ("@dataclass\nclass D:\n a: int\n b: int = 2\ndef f(d: D): return d.a, d.b\nfound.append(f(replace(D(x), b=4)))", "x = 5\n"),
    ("@dataclass\nclass D:\n a: int\n b: int = 2\nfound.append(dataclasses.asdict(D(x)))", "x = 5\n"),
    ("@dataclass\nclass D:\n a: int\n b: int = 2\nfound.append(getattr(D(x), 'b'))", "x = 5\n"),
    ("class C:\n def __init__(self, a):\n  self.a = a\n  self.b = None\n  self.n = 0\n  self.n += 1\n def m(self): return self.a if self.b is None else 0\nfound.append(C(x).m())", "x = 5\n"),
    ("class A:\n pass\nclass C:\n def __init__(self):\n  self.b = A()\n def m(self): return 1 if self.b is not None else 2\nfound.append(C().m())", ""),
    ("class C:\n def m(self, a): return self.n(a, a)\n def n(self, a, b): return a\nfound.append(C().m(3))", ""),
    # local variables
    ("def f(a):\n b, c = a, 4\n d = a.real\n e = found.append(1)\n return b\nfound.append(f(x))", "x = 5\n"),
    ("def f(a):\n b = 1\n b += found.append(2) or 2\nfound.append(f(x))", "x = 5\n"),
    ("def f(a):\n with nullcontext():\n  return f'{1}{a}{\"b\"}!'\nfound.append(f(x))", "x = 5\n"),
    # calls that are not moved
    ("def f(a, b): return b, a\ndef g():\n found.append(0)\n return len(found)\nfound.append(f(g(), g()))", ""),
    ("def f(a): return a + a\ndef g():\n found.append(0)\n return len(found)\nfound.append(f(g()))", ""),
    ("def f(a): return len(a)\ndef g(len): return f(len)\nfound.append(g([1]))", ""),
]  # fmt: skip


@pytest.mark.parametrize(("text", "before"), SMALLER)
def test_a_smaller_program_does_what_it_did(text: str, before: str) -> None:
    found = smaller(text)
    assert result(before + found) == result(before + text)
    assert len(found) <= len(HEAD + ast.unparse(ast.parse(text)))


def test_nothing_is_left_of_what_nothing_needs() -> None:
    text = """
@dataclass
class Settings:
    size: int
    kind: str = "plain"
    unread: int = 0
def use(settings: Settings, log, kind):
    if settings.kind == "odd":
        return odd(settings)
    if kind in ():
        log("never")
    return named(settings.size)
def odd(settings: Settings): return 1
def named(size): return size * 2
def log(line): print(line)
found.append(use(Settings(x, unread=3), None, "a"))
"""
    kept = "from dataclasses import dataclass\n\n@dataclass\nclass Settings:\n    size: 0\ndef use(settings): return settings.size * 2\n"
    assert smaller(text) == ast.unparse(ast.parse(kept + "found.append(use(Settings(x)))"))
