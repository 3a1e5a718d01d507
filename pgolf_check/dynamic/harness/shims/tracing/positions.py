"""Where targets lie in the validation stream, which is random, so that a few neighbours occur in one place only. Runs in the sandbox alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np

HEADER_BYTES = 1024
RARE = 1000.0
"""How many times as many sequences of neighbours there must be as pairs of positions."""


class Stream:
    """The tokens of a shard, each place known by a short sequence of its neighbours."""

    def __init__(self, tokens: np.ndarray) -> None:
        symbols, ranks = np.unique(tokens, return_inverse=True)
        self.size = len(tokens)
        self._symbols = symbols
        self._bits = max(int(len(symbols) - 1).bit_length(), 1)
        wanted = int(np.ceil(np.log(RARE * self.size**2) / np.log(max(len(symbols), 2))))
        self.length = max(min(wanted, 62 // self._bits), 1)
        keys = self._keys(ranks)
        order = np.argsort(keys, kind="stable")
        ordered = keys[order]
        alone = np.ones(len(keys), dtype=bool)
        alone[1:] &= ordered[1:] != ordered[:-1]
        alone[:-1] &= ordered[1:] != ordered[:-1]
        self._known, self._places = ordered[alone], order[alone]

    def _keys(self, ranks: np.ndarray) -> np.ndarray:
        """The sequence that begins at each place, as one number."""
        count = max(len(ranks) - self.length + 1, 0)
        keys = np.zeros(count, dtype=np.int64)
        for offset in range(self.length):
            keys = (keys << self._bits) | ranks[offset : offset + count]
        return keys

    def locate(self, targets: np.ndarray) -> np.ndarray:
        """The position of each target, -1 where its neighbours do not tell."""
        found = np.full(len(targets), -1, dtype=np.int64)
        if not len(self._known) or len(targets) < self.length:
            return found
        ranks = np.searchsorted(self._symbols, targets).clip(max=len(self._symbols) - 1)
        foreign = self._symbols[ranks] != targets
        keys = self._keys(ranks)
        at = np.searchsorted(self._known, keys).clip(max=len(self._known) - 1)
        begins = np.where(self._known[at] == keys, self._places[at], -1)
        for offset in range(self.length):
            begins = np.where(foreign[offset : offset + len(begins)], -1, begins)
        for offset in range(self.length):
            part = found[offset : offset + len(begins)]
            part[...] = np.where((part < 0) & (begins >= 0), begins + offset, part)
        return found


def stream_of(folder: Path) -> Stream | None:
    """The validation shard of the challenge's layout below a folder."""
    shard = next(iter(sorted(folder.glob("data/datasets/*/fineweb_val_*.bin"))), None)
    return None if shard is None else Stream(np.fromfile(shard, dtype="<u2", offset=HEADER_BYTES).astype(np.int64))


def as_mask(positions: np.ndarray, size: int) -> int:
    """A set of positions as the bits of a number."""
    flags = np.zeros(size, dtype=np.uint8)
    flags[positions] = 1
    return int.from_bytes(np.packbits(flags, bitorder="little").tobytes(), "little")


def of_mask(mask: int, size: int) -> np.ndarray:
    """The positions in a set."""
    flags = np.unpackbits(np.frombuffer(mask.to_bytes((size + 7) // 8, "little"), dtype=np.uint8), bitorder="little")
    return np.flatnonzero(flags)


def ranges(positions: np.ndarray) -> list[list[int]]:
    """Positions in their order as [first, end) ranges."""
    if not len(positions):
        return []
    cuts = np.flatnonzero(np.diff(positions) != 1) + 1
    return [[int(part[0]), int(part[-1]) + 1] for part in np.split(positions, cuts)]
