"""What a configuration states: the values that differ from the defaults."""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any


def stated(table: Any) -> dict[str, Any]:
    """Those of a section, and of the sections within it that have any."""
    default = type(table)()
    found: dict[str, Any] = {}
    for field in dataclasses.fields(table):
        value = getattr(table, field.name)
        inner = stated(value) if dataclasses.is_dataclass(value) else value
        if value != getattr(default, field.name):
            found[field.name] = inner
    return found


def values_by_name(tables: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Every value under its dotted name, such as model.embedding.dim."""
    for name, value in tables.items():
        if isinstance(value, Mapping):
            yield from values_by_name(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value
