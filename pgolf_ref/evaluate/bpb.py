"""Bits per byte: nats per token divided by ln 2 and by the bytes that the tokens stand for.

The bytes of a target are those of its piece without the leading space mark, and one for that space unless the token before is a
control token: the first space of a document is not part of its text. Control and unknown pieces count 0 bytes, byte pieces 1.
Where the tokens are of a transformed text, a sidecar states the bytes of the original one for every token of the stream.
Invariant: over a document, the bytes are those of its text.
"""

import math
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from pgolf_ref.data.pieces import SPACE, Tokenizer


class ByteCounts(Protocol):
    """How many bytes the tokens of a stream stand for."""

    @property
    def vocab_size(self) -> int: ...

    def bytes_between(self, stream: NDArray[Any], first: int, end: int) -> int:
        """Bytes of the tokens first to end of a stream; first is at least 1."""

    def by_position(self, stream: NDArray[Any]) -> NDArray[np.int64]:
        """Bytes of every token after the first: int64 (tokens - 1,)"""


@dataclass(frozen=True, slots=True)
class Sidecar:
    """Bytes of each token of one stream, as a file beside its tokens states them."""

    counts: NDArray[Any]
    vocab_size: int

    def bytes_between(self, stream: NDArray[Any], first: int, end: int) -> int:
        return int(self.counts[first:end].sum(dtype=np.int64))

    def by_position(self, stream: NDArray[Any]) -> NDArray[np.int64]:
        return np.asarray(self.counts[1 : len(stream)], dtype=np.int64)


@dataclass(frozen=True, slots=True)
class ByteTable:
    """Per token: bytes without a leading space, whether it has one, whether a space after it is not counted."""

    base: NDArray[np.int64]
    leading_space: NDArray[np.bool_]
    boundary: NDArray[np.bool_]

    @property
    def vocab_size(self) -> int:
        return len(self.base)

    def bytes_between(self, stream: NDArray[Any], first: int, end: int) -> int:
        return self.total_bytes(stream[first - 1 : end])

    def by_position(self, stream: NDArray[Any]) -> NDArray[np.int64]:
        return self.target_bytes(stream[:-1], stream[1:])

    def target_bytes(self, previous: NDArray[Any], targets: NDArray[Any]) -> NDArray[np.int64]:
        """Bytes of each target, given the token before it."""
        spaces: NDArray[np.bool_] = self.leading_space[targets] & ~self.boundary[previous]
        base: NDArray[np.int64] = self.base[targets]
        return base + spaces

    def total_bytes(self, tokens: NDArray[Any], block: int = 2**22) -> int:
        """Bytes of all tokens of a stream after its first."""
        total = 0
        for start in range(0, len(tokens) - 1, block):
            part = tokens[start : start + block + 1]
            total += int(self.target_bytes(part[:-1], part[1:]).sum())
        return total


def byte_table(processor: Tokenizer) -> ByteTable:
    """The table of a tokenizer."""
    count = processor.vocab_size()
    table = ByteTable(np.zeros(count, np.int64), np.zeros(count, np.bool_), np.ones(count, np.bool_))
    for token in range(count):
        if processor.is_control(token) or processor.is_unknown(token) or processor.is_unused(token):
            continue
        table.boundary[token] = False
        if processor.is_byte(token):
            table.base[token] = 1
            continue
        piece = processor.id_to_piece(token)
        table.leading_space[token] = piece.startswith(SPACE)
        table.base[token] = len(piece.removeprefix(SPACE).encode("utf-8"))
    return table


def bits_per_byte(nats: float, byte_count: int) -> float:
    """Summed nats over summed bytes."""
    return nats / math.log(2.0) / byte_count
