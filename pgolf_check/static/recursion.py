"""A larger limit of recursion for as long as it is needed: what else this process reads must not depend on what it read before."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def recursion(limit: int) -> Iterator[None]:
    """Allow calls nested up to `limit` inside the block."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(max(before, limit))
    try:
        yield
    finally:
        sys.setrecursionlimit(before)
