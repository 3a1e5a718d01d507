"""Whole documents in random order, packed end to end and cut into windows.

Invariants: a window is a function of the seed and its number; an epoch visits each shard once, in an order of its own, and there
each document that begins in it; tokens before a shard's first BOS and after its last whole window are left out.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from pgolf_ref.data.pieces import BOS
from pgolf_ref.data.shards import Tokens

Array = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Layout:
    """The documents of a shard in the order of their visits: where each begins in the shard, and where it ends in the packed text."""

    starts: Array
    ends: Array


class PackedDocuments:
    """Windows of seq_len + 1 tokens; the last token of one is the first of the next."""

    def __init__(self, shards: Sequence[Tokens], seq_len: int, seed: int) -> None:
        self._shards, self._seq_len, self._seed = shards, seq_len, seed
        self._counts = np.array([max(len(shard) - _first_document(shard) - 1, 0) // seq_len for shard in shards])
        self.layout = lru_cache(maxsize=2)(self._layout)

    @property
    def windows(self) -> int:
        """Windows of an epoch."""
        return int(self._counts.sum())

    def window(self, number: int) -> tuple[int, Array]:
        """The shard and the tokens of a window."""
        epoch, place = divmod(number, self.windows)
        shards = self._generator(epoch, len(self._shards)).permutation(len(self._shards))
        ends = np.cumsum(self._counts[shards])
        turn = int(np.searchsorted(ends, place, side="right"))
        shard = int(shards[turn])
        first = (place - int(ends[turn] - self._counts[shard])) * self._seq_len
        return shard, self._read(self._shards[shard], self.layout(epoch, shard), first)

    def _read(self, shard: Tokens, layout: Layout, first: int) -> Array:
        """seq_len + 1 tokens of the packed text of a shard."""
        out = np.empty(self._seq_len + 1, dtype=np.int64)
        document, filled = int(np.searchsorted(layout.ends, first, side="right")), 0
        while filled < len(out):
            remaining = int(layout.ends[document]) - first - filled
            length = int(layout.ends[document]) - (int(layout.ends[document - 1]) if document else 0)
            taken = min(remaining, len(out) - filled)
            start = int(layout.starts[document]) + length - remaining
            out[filled : filled + taken] = shard[start : start + taken]
            document, filled = document + 1, filled + taken
        return out

    def _layout(self, epoch: int, shard: int) -> Layout:
        tokens = self._shards[shard]
        starts = np.flatnonzero(tokens == BOS)
        lengths = np.diff(np.append(starts, len(tokens)))
        order = self._generator(epoch, shard).permutation(len(starts))
        return Layout(starts[order], np.cumsum(lengths[order]))

    def _generator(self, epoch: int, shard: int) -> np.random.Generator:
        return np.random.Generator(np.random.PCG64([self._seed, epoch, shard]))


def _first_document(shard: Tokens, block: int = 2**16) -> int:
    """Where the first BOS stands, or the length of the shard."""
    for start in range(0, len(shard), block):
        found = np.flatnonzero(shard[start : start + block] == BOS)
        if len(found):
            return start + int(found[0])
    return len(shard)
