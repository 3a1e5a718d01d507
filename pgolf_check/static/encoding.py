"""Records as JSON text: a table of scalars, and records that refer to earlier entries, children first.

Two kinds are kept: the compact form of a source, and what the witness found. Decoding creates objects of the listed classes and nothing
else, runs no code of the data, and needs no recursion however deep the records are nested.
"""

from __future__ import annotations

import dataclasses
import enum
import json
from collections.abc import Sequence
from typing import Any

from pgolf_check import model
from pgolf_check.static import facts, ir

_TUPLE, _SET = 0, 1
_SAFE_INTEGER = 1 << 62
_ENUMS = {kind.__name__: kind for kind in (model.Severity, model.Certainty, model.EventKind)}


class Codec:
    """Encodes a record of the class `root`, made of tuples, frozensets, scalars and records of `classes`."""

    def __init__(self, root: type, classes: tuple[type, ...]) -> None:
        self._root = root
        self._placed = [False, False, *(issubclass(kind, ir.Node) for kind in classes)]
        self._makers: list[Any] = [tuple, frozenset, *classes]
        self._numbers = {kind: number for number, kind in enumerate(classes, 2)}
        self._composite = frozenset((tuple, frozenset, *classes))
        self._fields = {kind: tuple(f.name for f in dataclasses.fields(kind) if f.name != "at") for kind in classes}

    def encode(self, record: Any) -> bytes:
        order = self._children_first(record)
        composite = self._composite
        scalars: dict[tuple[type, Any], int] = {}
        for _, children in order:
            for child in children:
                kind = type(child)
                if kind not in composite and (kind, child) not in scalars:
                    scalars[kind, child] = len(scalars)
        records: list[list[int]] = []
        indices: dict[int, int] = {}
        for item, children in order:
            encoded = self._head(item)
            encoded += [indices[id(c)] if type(c) in composite else scalars[type(c), c] for c in children]
            indices[id(item)] = len(scalars) + len(records)
            records.append(encoded)
        table = [_plain(value) for _, value in scalars]
        return json.dumps([table, records], separators=(",", ":")).encode("ascii")

    def decode(self, data: bytes) -> Any:
        """Raises ValueError, TypeError, KeyError, IndexError or AttributeError if the data is not what `encode` gives."""
        table, records = json.loads(data)
        made: list[Any] = [_scalar(entry) for entry in table]
        add, makers, placed = made.append, self._makers, self._placed
        for record in records:
            number = record[0]
            if placed[number]:
                add(makers[number](record[1], *[made[index] for index in record[2:]]))
            elif number > _SET:
                add(makers[number](*[made[index] for index in record[1:]]))
            else:
                add(makers[number]([made[index] for index in record[1:]]))
        found = made[-1]
        if not isinstance(found, self._root):
            raise TypeError(f"not a {self._root.__name__}")
        return found

    def _children_first(self, root: Any) -> list[tuple[Any, Sequence[Any]]]:
        """Every record below the root, each once, with its children."""
        composite = self._composite
        done: set[int] = set()
        order: list[tuple[Any, Sequence[Any]]] = []
        pending: list[tuple[Any, Sequence[Any] | None]] = [(root, None)]
        while pending:
            item, children = pending.pop()
            if id(item) in done:
                continue
            if children is not None:
                done.add(id(item))
                order.append((item, children))
                continue
            children = self._children(item)
            pending.append((item, children))
            pending += [(child, None) for child in children if type(child) in composite]
        return order

    def _children(self, item: Any) -> Sequence[Any]:
        kind = type(item)
        if kind is tuple:
            return item  # type: ignore[no-any-return]
        return sorted(item) if kind is frozenset else [getattr(item, name) for name in self._fields[kind]]

    def _head(self, item: Any) -> list[int]:
        if type(item) is tuple:
            return [_TUPLE]
        if type(item) is frozenset:
            return [_SET]
        number = self._numbers[type(item)]
        return [number, item.at] if isinstance(item, ir.Node) else [number]


def _plain(value: Any) -> Any:
    """A scalar as JSON; what JSON lacks, or does not keep exactly, is a tagged list."""
    if isinstance(value, enum.Enum):
        return ["enum", type(value).__name__, value.value]
    if isinstance(value, bool | str | None):
        return value
    if isinstance(value, int):
        return value if abs(value) < _SAFE_INTEGER else ["int", hex(value)]
    if isinstance(value, float):
        return ["float", value.hex()]
    if isinstance(value, complex):
        return ["complex", value.imag.hex()]
    return ["bytes", value.decode("latin-1")] if isinstance(value, bytes) else ["..."]


def _scalar(entry: Any) -> Any:
    if not isinstance(entry, list):
        return entry
    tag = entry[0]
    if tag == "enum":
        return _ENUMS[entry[1]](entry[2])
    if tag == "int":
        return int(entry[1], 16)
    if tag == "float":
        return float.fromhex(entry[1])
    if tag == "complex":
        return complex(0.0, float.fromhex(entry[1]))
    return entry[1].encode("latin-1") if tag == "bytes" else ...


SOURCES = Codec(
    ir.Module,
    tuple(
        kind
        for _, kind in sorted(vars(ir).items())
        if isinstance(kind, type) and dataclasses.is_dataclass(kind) and kind is not ir.Node
    ),
)
"""Lowered sources."""
FINDINGS = Codec(
    facts.StaticFacts,
    (facts.StaticFacts, facts.StaticRun, model.Event, model.Region, model.Location, model.Step, model.Mixture),
)
"""What the static witness found."""
