"""Hypothesis strategies for streams and how they are cut; all shrink to the shortest and to zeros. Needs hypothesis."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy


def streams(alphabet: int, *, min_size: int = 1, max_size: int = 16) -> SearchStrategy[list[int]]:
    """Token streams over range(alphabet)."""
    return st.lists(st.integers(0, alphabet - 1), min_size=min_size, max_size=max_size)


def chunkings(length: int) -> SearchStrategy[list[range]]:
    """Partitions of range(length) into consecutive chunks, none empty; shrinks to a single chunk."""
    if length < 2:
        return st.just([range(length)] if length else [])
    return st.sets(st.integers(1, length - 1)).map(lambda cuts: _between([0, *sorted(cuts), length]))


def strides(max_window: int) -> SearchStrategy[tuple[int, int]]:
    """Windows and strides of sliding evaluations, 1 <= stride <= window <= max_window; shrinks to (1, 1)."""
    return st.integers(1, max_window).flatmap(lambda window: st.tuples(st.just(window), st.integers(1, window)))


def documents(
    alphabet: int, *, bos: int | None = None, min_documents: int = 1, max_documents: int = 4, max_size: int = 6
) -> SearchStrategy[list[list[int]]]:
    """Documents of 1 to `max_size` tokens over range(alphabet), each behind a `bos`, if there is one, which is in none of them."""
    token = st.integers(0, alphabet - 1).filter(lambda each: each != bos)
    head = [] if bos is None else [bos]
    document = st.lists(token, min_size=1, max_size=max_size).map(lambda body: head + body)
    return st.lists(document, min_size=min_documents, max_size=max_documents)


def _between(edges: list[int]) -> list[range]:
    return [range(start, end) for start, end in zip(edges, edges[1:], strict=False)]
