"""Indices of hashed n-grams of tokens, and of hashed runs of bytes.

Invariants: an index depends on tokens at its position and before; what reaches beyond the context has the last index; arithmetic
is int64, so that no vocabulary overflows it.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from pgolf_ref.data.vocabulary import Vocabulary
from pgolf_ref.model.context import shifted, visible

# One row per independent hash, one factor per token of the n-gram, the current token first. The first three factors of the first
# row are those of the public bigram and trigram tables.
FACTORS = (
    (36_313, 27_191, 51_497, 48_271, 69_621),
    (40_692, 52_774, 16_807, 39_373, 61_603),
    (45_991, 33_461, 68_909, 24_251, 57_719),
    (29_917, 63_313, 41_893, 55_207, 37_561),
)
BYTE_FACTOR = 0x5851_F42D_4C95_7F2D  # of Knuth's MMIX generator


def ngram_index(tokens: Tensor, order: int, head: int, rows: int, isolate: bool) -> Tensor:
    """int64 (B, T) -> (B, T) in [0, rows): xor of factor_j * token_{t-j} for j < order, modulo rows - 1; rows - 1 where cut off."""
    mixed = tokens * FACTORS[head][0]
    for distance in range(1, order):
        mixed = mixed ^ (shifted(tokens, distance) * FACTORS[head][distance])
    index = mixed % (rows - 1)
    return torch.where(visible(tokens, order - 1, isolate), index, rows - 1)


def split_by_word_start(tokens: Tensor, index: Tensor, starts: Tensor, rows: int) -> Tensor:
    """Word starts keep the lower half of the rows, other tokens take the upper one; the last index stays."""
    half = (rows - 1) // 2
    return torch.where(index == rows - 1, index, index % half + torch.where(starts, 0, half))


def byte_powers(vocabulary: Vocabulary, span: int) -> tuple[Tensor, Tensor]:
    """Per token its number of bytes (V,), and of its last n bytes, n = 0 .. span, the hash (V, span + 1).

    The hash is the sum of (byte + 1) * factor^i over the bytes, counted from the last (i = 0), modulo 2^64.
    """
    lengths = torch.tensor([len(piece) for piece in vocabulary.pieces])
    hashes = [[0] * (span + 1) for _ in vocabulary.pieces]
    for row, piece in zip(hashes, vocabulary.pieces, strict=True):
        for taken in range(1, span + 1):
            row[taken] = row[taken - 1]
            if taken <= len(piece):
                row[taken] = (row[taken] + (piece[-taken] + 1) * pow(BYTE_FACTOR, taken - 1, 2**64)) % 2**64
    return lengths, _signed(hashes)


def byte_index(tokens: Tensor, lengths: Tensor, hashes: Tensor, rows: int, isolate: bool) -> Tensor:
    """int64 (B, T) -> the index of the last `span` bytes of the last `span` tokens; rows - 1 where these are fewer bytes."""
    span = hashes.size(1) - 1
    powers = _signed([[pow(BYTE_FACTOR, i, 2**64) for i in range(span)]])[0].to(tokens.device)
    total, taken = torch.zeros_like(tokens), torch.zeros_like(tokens)
    for distance in range(span):
        before = shifted(tokens, distance)
        open_places = torch.where(visible(tokens, distance, isolate), span - taken, 0)
        part = hashes[before, open_places]
        total = total + part * powers[taken.clamp(max=span - 1)]
        taken = taken + torch.minimum(lengths[before], open_places)
    index = ((total >> 20) & (2**40 - 1)) % (rows - 1)
    return torch.where(taken == span, index, rows - 1)


def _signed(values: Sequence[Sequence[int]]) -> Tensor:
    """Numbers modulo 2^64 as int64."""
    return torch.tensor([[value - 2**64 if value >= 2**63 else value for value in row] for row in values])
