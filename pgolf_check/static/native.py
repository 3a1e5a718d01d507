"""A small reader of C and C++: which outputs of a function depend on the token at their own position.

A hint for a position may use the tokens before it. The reader follows one iteration of each loop: what was read from a token array at
the bare loop position taints the variables it is assigned to, the calls it is passed to and what is written under a condition that
looks at it. State that the iteration before left behind is clean. Everything else of the language is ignored.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from pgolf_check.static import ir
from pgolf_check.static.walk import walk

_NOISE = re.compile(r"/\*.*?\*/|//[^\n]*|^[ \t]*#[^\n]*", re.DOTALL | re.MULTILINE)
_TOKEN = re.compile(
    r"[A-Za-z_]\w*|\d[\w.]*|\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*'|->|::|<<=|>>=|[-+*/%&|^<>=!]=|&&|\|\||\+\+|--|\S"
)
_NAME = re.compile(r"[A-Za-z_]\w*")
_ASSIGN = frozenset(("=", "+=", "-=", "*=", "/=", "%=", "&=", "|=", "^=", "<<=", ">>="))
_KEYWORDS = frozenset(("if", "for", "while", "switch", "return", "else", "do", "sizeof", "catch"))
_LEAVES = frozenset(("continue", "break", "return", "goto"))
MAX_TOKENS = 200_000
NATIVE = (".c", ".cc", ".cpp", ".cxx", ".cu", ".h", ".hpp")
STATE = "*state*"
MAX_CALLS = 4
EXPONENTIALS = frozenset(("exp", "expf", "exp2", "exp2f", "pow", "powf"))


@dataclass(frozen=True, slots=True)
class NativeFunction:
    """A function of a C source: its parameters' names in order, those that are handles (void *), and the tokens of its body."""

    name: str
    parameters: tuple[str, ...]
    handles: frozenset[str]
    body: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one call does with token arrays: whether it reads one, the parameters written, those written with the token of their own
    position, and whether it takes powers of scores that were divided by something the token decides, such as its bytes."""

    reads: bool = False
    written: frozenset[int] = frozenset()
    gated: frozenset[int] = frozenset()
    spreads: bool = False


@dataclass(frozen=True, slots=True)
class NativeSource:
    """The functions of a C source, by name."""

    functions: dict[str, NativeFunction]

    def fields_of(self, name: str, position: int) -> frozenset[str]:
        """The variables outside a function that its parameter is stored in, directly or by what it calls."""
        return frozenset(self._stored(name, position, 0))

    def _stored(self, name: str, position: int, depth: int) -> Iterator[str]:
        function = self.functions.get(name)
        if function is None or position >= len(function.parameters) or depth > MAX_CALLS:
            return
        own = function.parameters[position]
        body = function.body
        for at in range(2, len(body) - 1):
            if body[at] == own and body[at - 1] == "=" and body[at + 1] == ";" and _NAME.match(body[at - 2]):
                yield body[at - 2]
        for callee, args in _calls(body):
            for place, arg in enumerate(args):
                if arg == (own,):
                    yield from self._stored(callee, place, depth + 1)

    def outcome(self, name: str, tokens: frozenset[str], depth: int = 0, scores: frozenset[str] = frozenset()) -> Outcome:
        """What a function does with the arrays of tokens, and of scores, that the given names stand for."""
        function = self.functions.get(name)
        if function is None or depth > MAX_CALLS:
            return Outcome()
        reader = _Reader(self, tokens, depth, scores=scores)
        reader.block(function.body)
        places = range(len(function.parameters))
        written = frozenset(i for i in places if function.parameters[i] in reader.written | function.handles)
        gated = frozenset(i for i in places if function.parameters[i] in reader.gated)
        return Outcome(reader.reads, written, gated, reader.divided and self._takes_powers(name, 0))

    def _takes_powers(self, name: str, depth: int) -> bool:
        """Whether a function, or one that it calls, takes exponentials."""
        function = self.functions.get(name)
        if function is None or depth > MAX_CALLS:
            return False
        called = {callee for callee, _ in _calls(function.body)}
        return bool(called & EXPONENTIALS) or any(self._takes_powers(callee, depth + 1) for callee in called)


def read_native(text: str) -> NativeSource:
    """The functions that a C or C++ text defines."""
    tokens = _TOKEN.findall(_NOISE.sub(" ", text))[:MAX_TOKENS]
    functions: dict[str, NativeFunction] = {}
    for at in range(1, len(tokens)):
        if tokens[at] != "(" or not _NAME.fullmatch(tokens[at - 1]) or tokens[at - 1] in _KEYWORDS:
            continue
        close = _closing(tokens, at)
        start = close + 1
        while start < len(tokens) and tokens[start] in ("const", "noexcept", "override"):
            start += 1
        if start >= len(tokens) or tokens[start] != "{":
            continue
        name = tokens[at - 1]
        declared = _split(tokens[at + 1 : close])
        handles = frozenset(_parameter(p) for p in declared if "void" in p and "*" in p)
        body = tuple(tokens[start + 1 : _closing(tokens, start)])
        functions.setdefault(name, NativeFunction(name, tuple(_parameter(p) for p in declared), handles, body))
    return NativeSource(functions)


def _parameter(tokens: tuple[str, ...]) -> str:
    names = [t for t in tokens if _NAME.fullmatch(t)]
    return names[-1] if names else ""


def _closing(tokens: list[str] | tuple[str, ...], at: int) -> int:
    """The index of the bracket that closes the one at `at`; the end if there is none."""
    pairs = {"(": ")", "{": "}", "[": "]"}
    opening, closing, depth = tokens[at], pairs[tokens[at]], 0
    for index in range(at, len(tokens)):
        depth += (tokens[index] == opening) - (tokens[index] == closing)
        if not depth:
            return index
    return len(tokens)


def _split(tokens: list[str] | tuple[str, ...]) -> list[tuple[str, ...]]:
    """The parts between the commas of the outermost level."""
    parts: list[tuple[str, ...]] = []
    depth, start = 0, 0
    for index, token in enumerate(tokens):
        depth += (token in "([{") - (token in ")]}")
        if token == "," and not depth:
            parts.append(tuple(tokens[start:index]))
            start = index + 1
    if tokens:
        parts.append(tuple(tokens[start:]))
    return parts


def _calls(tokens: tuple[str, ...]) -> Iterator[tuple[str, list[tuple[str, ...]]]]:
    for at in range(1, len(tokens)):
        if tokens[at] == "(" and _NAME.fullmatch(tokens[at - 1]) and tokens[at - 1] not in _KEYWORDS:
            yield tokens[at - 1], _split(tokens[at + 1 : _closing(tokens, at)])


@dataclass(slots=True)
class _Reader:
    """One walk through a body: the variables tainted by the token of the present position, and the outputs that this reached."""

    source: NativeSource
    tokens: frozenset[str]
    depth: int
    tainted: set[str] = field(default_factory=set)
    gated: set[str] = field(default_factory=set)
    written: set[str] = field(default_factory=set)
    reads: bool = False
    scores: frozenset[str] = frozenset()
    divided: bool = False

    def block(self, body: tuple[str, ...], gate: bool = False) -> bool:
        """Walk statements, `gate` if under a condition that looks at the token; whether such a condition may leave them early."""
        left = False
        at = 0
        while at < len(body):
            at, out = self._statement(body, at, gate or left)
            left = left or out
        return left

    def _statement(self, body: tuple[str, ...], at: int, gate: bool) -> tuple[int, bool]:
        """Walk the statement at an index; (the index after it, whether it may leave by a condition that looks at the token)."""
        head = body[at]
        if head == "{":
            end = _closing(body, at)
            return end + 1, self.block(body[at + 1 : end], gate)
        if head in ("if", "for", "while", "switch") and at + 1 < len(body) and body[at + 1] == "(":
            return self._controlled(body, at, gate)
        if head in ("else", "do"):
            return self._statement(body, at + 1, gate) if at + 1 < len(body) else (at + 1, False)
        end = at
        while end < len(body) and body[end] != ";":
            end = _closing(body, end) + 1 if body[end] in "([{" else end + 1
        self._expression(body[at:end], gate)
        return end + 1, gate and head in _LEAVES

    def _controlled(self, body: tuple[str, ...], at: int, gate: bool) -> tuple[int, bool]:
        close = _closing(body, at + 1)
        condition = body[at + 2 : close]
        loop = body[at] in ("for", "while")
        before = set(self.tainted)
        for part in _statements(condition):
            self._expression(part, gate)
        looks = gate or self._looks(condition)
        after, left = self._statement(body, close + 1, looks) if close + 1 < len(body) else (close + 1, False)
        if loop:
            self.tainted = before
            return after, gate
        if after < len(body) and body[after] == "else":
            after, also = self._statement(body, after + 1, looks)
            left = left or also
        return after, left

    def _expression(self, tokens: tuple[str, ...], gate: bool) -> None:
        looks = self._looks(tokens)
        self.divided = self.divided or self._divides(tokens)
        where = next((i for i, t in enumerate(tokens) if t in _ASSIGN), None)
        if where is not None:
            self._write(tokens[:where], tokens[where], gate or looks)
        elif (looks or gate) and ("++" in tokens or "--" in tokens):
            self._write(tokens, "+=", True)
        self._pass(tokens)

    def _divides(self, tokens: tuple[str, ...]) -> bool:
        """Whether a score is divided by something that the token of its position decides."""
        return any(
            token in ("/", "/=") and not self.scores.isdisjoint(tokens[:at]) and self._looks(tokens[at + 1 :])
            for at, token in enumerate(tokens)
        )

    def _write(self, target: tuple[str, ...], how: str, looks: bool) -> None:
        names = [t for t in target if _NAME.fullmatch(t)]
        if not names:
            return
        indexed = "[" in target
        base = target[target.index("[") - 1] if indexed and target.index("[") else names[-1]
        self.written.update(names[:1] if indexed or target[:1] == ("*",) else ())
        if looks:
            self.tainted.add(base)
            self.gated.add(names[0] if indexed else base)
        elif how == "=" and not indexed:
            self.tainted.discard(base)

    def _pass(self, tokens: tuple[str, ...]) -> None:
        """Calls: what the token is passed to may keep it; what is written in a function of the source is read there."""
        for callee, args in _calls(tokens):
            known = self.source.functions.get(callee)
            if known is not None:
                inside = frozenset(p for p, a in zip(known.parameters, args, strict=False) if len(a) == 1 and a[0] in self.tokens)
                outcome = self.source.outcome(callee, inside | self.tokens, self.depth + 1)
                self.reads = self.reads or outcome.reads
                self.written.update(args[i][-1] for i in outcome.written if i < len(args) and args[i])
                for place in outcome.written if any(self._looks(a) for a in args) else outcome.gated:
                    if place < len(args) and args[place]:
                        self.gated.add(args[place][-1])
                        self.tainted.add(args[place][-1])
            if any(self._looks(a) for a in args):
                self.tainted.add(STATE)
                self.tainted.update(a[-1] for a in args if a and _NAME.fullmatch(a[-1]))

    def _looks(self, tokens: tuple[str, ...]) -> bool:
        """Whether an expression depends on the token of the present position."""
        for at, token in enumerate(tokens):
            if token in self.tainted:
                return True
            if token in self.tokens and at + 1 < len(tokens) and tokens[at + 1] == "[":
                self.reads = True
                inside = tokens[at + 2 : _closing(tokens, at + 1)]
                if len(inside) == 1 and _NAME.fullmatch(inside[0]):
                    return True
            if STATE in self.tainted and token in self.source.functions and tokens[at + 1 : at + 2] == ("(",):
                return True
        return False


def _statements(tokens: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    start = 0
    for at, token in enumerate((*tokens, ";")):
        if token == ";":
            yield tokens[start:at]
            start = at + 1


def strings_of(module: ir.Module) -> list[str]:
    """The texts in a Python script that may be C: with a brace and a semicolon."""
    texts = (node.value for node in walk(module) if isinstance(node, ir.Const) and isinstance(node.value, str))
    return [text for text in texts if "{" in text and ";" in text]
