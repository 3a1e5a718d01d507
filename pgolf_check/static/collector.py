"""Rarer collections of reference cycles for as long as many objects are made that live to the end anyway."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

OBJECTS = 200_000
"""New objects after which the youngest are looked at."""


@contextmanager
def rare_collections() -> Iterator[None]:
    """Collect rarely inside the block."""
    before = gc.get_threshold()
    gc.set_threshold(max(before[0], OBJECTS), *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
