"""The values that a self-extracting script computes, as far as they can be known without running it.

Known values are Python's own constants and containers of them; all else is one of the classes here. Nothing audited is called.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

ROOT = "/submission"
"""Where the script believes its folder to be."""

LONG = 200
"""From this length on a literal is taken for payload."""


class OutOfBudget(Exception):
    """The wrapper asks for more work or memory than is granted; the message names which."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """A value that is not known; `reason` says why in a clause, where that is worth telling."""

    reason: str = ""


UNKNOWN = Unknown()


@dataclass(frozen=True, slots=True)
class Ref:
    """A library object by its dotted name, such as base64.b85decode."""

    name: str


@dataclass(slots=True, eq=False)
class Function:
    """A function or lambda of the wrapper."""

    arguments: ast.arguments
    body: Sequence[ast.stmt] | ast.expr


@dataclass(slots=True, eq=False)
class Buffer:
    """An open file or buffer: its content for reading; `path` if what is written becomes that file."""

    data: Any = b""
    path: str = ""
    writes: bool = False


@dataclass(frozen=True, slots=True)
class Decoder:
    """A decompressor object: codec and options."""

    codec: str
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class NewModule:
    """A module object that the wrapper creates; `path` where its source is a file."""

    name: str
    path: str = ""


@dataclass(frozen=True, slots=True)
class Bound:
    """A method of a known value."""

    owner: Any
    name: str


@dataclass(frozen=True, slots=True)
class Execution:
    """Source that the wrapper runs: text or bytes, or Unknown. `module` names the module it becomes, "" for the program itself."""

    source: Any
    module: str = ""
    direct: bool = True
    """Whether the top level runs it, not a function."""


@dataclass(slots=True)
class Budget:
    """Work and memory that remain."""

    steps: int = 400_000
    room: int = 64 << 20

    def step(self, count: int = 1) -> None:
        self.steps -= count
        if self.steps < 0:
            raise OutOfBudget("it computes for too long")

    def take(self, size: int) -> None:
        self.room -= size
        if self.room < 0:
            raise OutOfBudget("it unpacks to more than 64 MiB")


@dataclass(slots=True)
class World:
    """What the wrapper can reach: the submission's files, the files it writes, and the record of what it runs."""

    folder: str
    read: Callable[[str], bytes | None]
    budget: Budget
    written: dict[str, Any] = field(default_factory=dict)
    layers: dict[Any, tuple[str, ...]] = field(default_factory=dict)
    executions: list[Execution] = field(default_factory=list)
    depth: int = 0
    temporary: int = 0

    def derive(self, result: Any, *sources: Any, layer: str = "") -> Any:
        """`result`, with the encodings undone so far that its largest source had, and one more."""
        if isinstance(result, (str, bytes)) and len(result) > 8:
            known = [s for s in sources if isinstance(s, (str, bytes)) and s in self.layers]
            layers = self.layers[max(known, key=len)] if known else ()
            if layer or layers:
                self.layers[result] = (*layers, layer) if layer else layers
        return result

    def absolute(self, path: str) -> str:
        import posixpath

        return posixpath.normpath(posixpath.join(self.folder, path))

    def content(self, path: str) -> Any:
        """The content of a file that was written or lies in the submission; None if there is none."""
        place = self.absolute(path)
        if place in self.written:
            return self.written[place]
        if place.startswith(f"{ROOT}/"):
            data = self.read(place[len(ROOT) + 1 :])
            if data is not None:
                return self.derive(data, layer="file")
        return None

    def run(self, source: Any, module: str = "") -> None:
        self.executions.append(Execution(source, module, self.depth == 0))
