"""Decodes self-extracting scripts as data: what a wrapper would execute becomes the script's text. Nothing is executed.

A script that executes nothing, or in which the execution is incidental to a program of its own, keeps its text. A script is opaque
(text None) only if what it executes is its main logic and could not be decoded.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from pgolf_check.submission.model import Script
from pgolf_check.submission.processes import may_start, places
from pgolf_check.submission.text import decode_python
from pgolf_check.submission.wrapper_run import Returned, program
from pgolf_check.submission.wrapper_source import Statement, keeps_program, prologue, statements, trailing
from pgolf_check.submission.wrapper_values import ROOT, Budget, Execution, OutOfBudget, Unknown, World

EXECUTES = re.compile(r"\bexec\b|\brunpy\b|exec_module|\bmarshal\b|['\"]ex(?:ec)?['\"]")
WORDS = ("exec", "runpy", "marshal", "'ex'", '"ex"')
"""With one of these begins whatever EXECUTES finds, but for a quote before the first."""
DECODES = ("a85decode", "b85decode", "b64decode", "unhexlify", "fromhex", "decompress", "sys.executable")
"""Text that neither executes code, nor starts a process and decodes something or names Python, runs nothing but itself."""

NESTED = 10
Read = Callable[[str], bytes | None]


@dataclass(slots=True)
class _Unwrapped:
    text: str | None
    problem: str = ""
    layers: tuple[str, ...] = ()
    prologue: str = ""
    modules: dict[str, str] = field(default_factory=dict)


def unwrap(path: str, data: bytes, read: Read) -> Script:
    """The script at a path of the submission; `read` gives the bytes of a file of the submission."""
    found = _unwrap(path, decode_python(data), read, Budget(), NESTED)
    return Script(path, len(data), found.text, found.problem, found.layers, found.prologue, found.modules)


def _unwrap(path: str, text: str, read: Read, budget: Budget, nested: int) -> _Unwrapped:
    plain = _Unwrapped(text)
    executes = _executes(text)
    if not executes and not (_holds(text, DECODES) and may_start(text)):
        return plain
    body = statements(text, later_grammar=executes)
    if body is None:
        return plain
    world = World(str(PurePosixPath(ROOT, path).parent), read, budget)
    first, last, problem = _follow(world, body, f"{ROOT}/{path}")
    own = keeps_program(body)
    modules = _modules(world)
    runs = [e for e in world.executions if not e.module and (e.direct or not own)]
    if problem and not own and executes:
        return _Unwrapped(None, problem, modules=modules)
    if not runs or (own and any(isinstance(e.source, Unknown) for e in runs)):
        return _Unwrapped(text, modules=modules)
    unknown = next((e.source for e in runs if isinstance(e.source, Unknown)), None)
    if unknown is not None:
        return _Unwrapped(None, f"it executes code that could not be decoded: {unknown.reason or 'its value is not known'}")
    return _compose(path, body, (first, last), runs, world, nested, own=own, modules=modules)


def _executes(text: str) -> bool:
    """Whether a text may execute code; the pattern is tried at the plain words only, which are found fast."""
    return any(EXECUTES.match(text, place) for word in WORDS for place in places(text, word))


def _holds(text: str, words: Iterable[str]) -> bool:
    return any(word in text for word in words)


def _follow(world: World, body: list[Statement], place: str) -> tuple[int, int, str]:
    """(first and last statement that execute the program, problem). Stops where the budget ends."""
    follower = program(world, place)
    first, last = len(body), -1
    for index, statement in enumerate(body):
        before = len(world.executions)
        try:
            for node in statement.nodes:
                follower.statement(node)
        except OutOfBudget as error:
            return first, last, f"it could not be decoded: {error}"
        except (RecursionError, Returned):
            continue
        if any(not e.module for e in world.executions[before:]):
            first, last = min(first, index), index
    return first, last, ""


def _modules(world: World) -> dict[str, str]:
    """The sources that become modules: executed into a module object, or written as a Python file."""
    found = {e.module: _text(e) for e in world.executions if e.module and not isinstance(e.source, Unknown)}
    executed = [e.source for e in world.executions]
    for path, content in world.written.items():
        new = path.endswith(".py") and world.read(path.removeprefix(f"{ROOT}/")) is None
        if new and isinstance(content, (str, bytes)) and content not in executed:
            found.setdefault(PurePosixPath(path).stem, content if isinstance(content, str) else decode_python(content))
    return {name: text for name, text in sorted(found.items()) if text}


def _text(execution: Execution) -> str:
    source = execution.source
    if isinstance(source, str):
        return source.replace("\r\n", "\n")
    return decode_python(source) if isinstance(source, bytes) else ""


def _compose(
    path: str,
    body: list[Statement],
    span: tuple[int, int],
    runs: list[Execution],
    world: World,
    nested: int,
    *,
    own: bool,
    modules: dict[str, str],
) -> _Unwrapped:
    """The decoded text with what follows it; the code before it apart, or in front where it is a program of its own."""
    parts: list[str] = []
    layers: list[str] = []
    prologues = [] if own else [prologue(body[: span[0]])]
    for execution in runs:
        if nested <= 0:
            return _Unwrapped(None, f"it is wrapped more than {NESTED} times")
        inner = _unwrap(path, _text(execution), world.read, world.budget, nested - 1)
        if inner.text is None:
            return inner
        parts.append(inner.text)
        layers += [*world.layers.get(execution.source, ()), *inner.layers]
        prologues.append(inner.prologue)
        modules = {**modules, **inner.modules}
    before = [statement.text for statement in body[: span[0]]] if own else []
    after = trailing(body[span[1] + 1 :])
    text = "\n".join([*before, *parts, *after]) if before or after or len(parts) > 1 else parts[0]
    if not any(part.strip() for part in parts):
        return _Unwrapped(None, "what it executes is empty")
    return _Unwrapped(text, "", tuple(layers), "\n".join(p for p in prologues if p), modules)
