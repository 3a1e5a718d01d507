"""Walks over `ir` trees, for tests."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def nodes(tree: Any) -> Iterator[Any]:
    """Every object of the compact form in a tree, however deep."""
    pending = [tree]
    while pending:
        item = pending.pop()
        if isinstance(item, tuple):
            pending += item
        elif hasattr(item, "__dataclass_fields__"):
            yield item
            pending += [getattr(item, name) for name in item.__dataclass_fields__]
