"""The compact form as JSON text: a table of scalars, and records that refer to earlier entries, children first.

Decoding creates `ir` objects and nothing else, runs no code of the data, and needs no recursion however deep the tree is.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from typing import Any

from pgolf_check.static import ir

_CLASSES: tuple[type, ...] = tuple(
    kind
    for _, kind in sorted(vars(ir).items())
    if isinstance(kind, type) and dataclasses.is_dataclass(kind) and kind is not ir.Node
)
_FIELDS = {kind: tuple(f.name for f in dataclasses.fields(kind) if f.name != "at") for kind in _CLASSES}
_NUMBERS = {kind: number for number, kind in enumerate(_CLASSES, 2)}
_TUPLE, _SET = 0, 1
_SAFE_INTEGER = 1 << 62


def encode(module: ir.Module) -> bytes:
    scalars: dict[tuple[type, Any], int] = {}
    order: list[Any] = []
    pending: list[Any] = [module]
    while pending:
        item = pending.pop()
        order.append(item)
        for child in _children(item):
            if _is_composite(child):
                pending.append(child)
            else:
                scalars.setdefault((type(child), child), len(scalars))
    records: list[list[int]] = []
    indices: dict[int, int] = {}
    for item in reversed(order):
        if id(item) in indices:
            continue
        record = [_TUPLE] if type(item) is tuple else [_SET] if type(item) is frozenset else _head(item)
        for child in _children(item):
            record.append(indices[id(child)] if _is_composite(child) else scalars[type(child), child])
        indices[id(item)] = len(scalars) + len(records)
        records.append(record)
    table = [_plain(value) for _, value in scalars]
    return json.dumps([table, records], separators=(",", ":")).encode("ascii")


def _is_composite(value: Any) -> bool:
    return type(value) in _NUMBERS or type(value) is tuple or type(value) is frozenset


def _children(item: Any) -> Iterator[Any]:
    if type(item) is tuple:
        return iter(item)
    if type(item) is frozenset:
        return iter(sorted(item))
    return (getattr(item, name) for name in _FIELDS[type(item)])


def _head(item: Any) -> list[int]:
    number = _NUMBERS[type(item)]
    return [number, item.at] if isinstance(item, ir.Node) else [number]


def _plain(value: Any) -> Any:
    """A scalar as JSON; what JSON lacks, or does not keep exactly, is a tagged list."""
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
    if tag == "int":
        return int(entry[1], 16)
    if tag == "float":
        return float.fromhex(entry[1])
    if tag == "complex":
        return complex(0.0, float.fromhex(entry[1]))
    return entry[1].encode("latin-1") if tag == "bytes" else ...


def decode(data: bytes) -> ir.Module:
    """Raises ValueError, TypeError, KeyError, IndexError or AttributeError if the data is not what `encode` gives."""
    table, records = json.loads(data)
    made: list[Any] = [_scalar(entry) for entry in table]
    add = made.append
    classes: list[Any] = [tuple, frozenset, *_CLASSES]
    placed = [False, False, *(issubclass(kind, ir.Node) for kind in _CLASSES)]
    for record in records:
        number = record[0]
        if placed[number]:
            add(classes[number](record[1], *[made[index] for index in record[2:]]))
        elif number > _SET:
            add(classes[number](*[made[index] for index in record[1:]]))
        else:
            add(classes[number]([made[index] for index in record[1:]]))
    module = made[-1]
    if not isinstance(module, ir.Module):
        raise TypeError("not a module")
    return module
