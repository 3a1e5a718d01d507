"""Which tokens a forward pass reads, and which positions it scores.

Invariants: every position after the first is in exactly one window, tail included, for any stride; a stride of the full length
gives disjoint chunks; a window of the interior reads `seq_len` tokens; with documents a window reads none but its document's.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from pgolf_ref.data.pieces import BOS
from pgolf_ref.data.shards import Tokens
from pgolf_ref.evaluate.ledger import Range


@dataclass(frozen=True, slots=True)
class Window:
    """Reads tokens start to end - 1 and scores the positions first to end."""

    start: int
    first: int
    end: int

    @property
    def length(self) -> int:
        """Tokens that it reads."""
        return self.end - 1 - self.start


def plan_windows(tokens: int, seq_len: int, stride: int) -> list[Window]:
    """The windows over a stream: the first scores all that it can, each later one the next `stride` positions."""
    return list(_windows(0, tokens, seq_len, stride))


def plan_documents(stream: Tokens, seq_len: int, stride: int) -> list[Window]:
    """The windows over each document of a stream, as over a stream of its own."""
    return [window for first, end in documents(stream) for window in _windows(first - 1, end, seq_len, stride)]


def documents(stream: Tokens) -> list[Range]:
    """The positions of each document: those after its BOS, up to the next BOS, which ends it. Tokens before a BOS are one too."""
    begins = np.flatnonzero(np.asarray(stream) == BOS).tolist()
    edges = [0, *(begin for begin in begins if 0 < begin < len(stream) - 1), len(stream) - 1]
    return [(start + 1, end + 1) for start, end in zip(edges, edges[1:], strict=False)]


def _windows(start: int, end: int, seq_len: int, stride: int) -> Iterator[Window]:
    """Over the tokens start to end."""
    window = Window(start, start + 1, min(start + seq_len + 1, end))
    yield window
    while window.end < end:
        window = Window(window.end + stride - seq_len - 1, window.end, min(window.end + stride, end))
        yield window


def split_into_chunks(windows: Sequence[Window], chunk_tokens: int) -> list[list[Window]]:
    """Runs of windows; a window is in the chunk of its first scored position."""
    chunks: list[list[Window]] = []
    for window in windows:
        number = (window.first - 1) // chunk_tokens
        if not chunks or number != (chunks[-1][-1].first - 1) // chunk_tokens:
            chunks.append([])
        chunks[-1].append(window)
    return chunks


def split_into_batches(windows: Sequence[Window], batch_windows: int) -> list[list[Window]]:
    """At most `batch_windows` windows each, of like length: the shorter ones are padded to the longest."""
    ordered = sorted(windows, key=lambda window: -window.length)
    return [ordered[i : i + batch_windows] for i in range(0, len(ordered), batch_windows)]


def pack(windows: Sequence[Window], stream: Tokens, row_tokens: int) -> list[list[Window]]:
    """Rows of windows whose tokens follow each other in one sequence of at most `row_tokens` (or of one longer window).

    Each window of a row but its first begins a document, so that attention within documents keeps them apart.
    """
    rows: list[list[Window]] = []
    filled = 0
    for window in windows:
        if not rows or filled + window.length > row_tokens or stream[window.start] != BOS:
            rows.append([])
            filled = 0
        rows[-1].append(window)
        filled += window.length
    return rows
