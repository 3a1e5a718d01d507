"""A sentencepiece model of any size, written without training: control pieces, the sign for a space, words of the same number of bytes.

Half of the words begin with the sign for a space, which is one byte of text: whichever way a script counts the bytes of a piece, it
comes to the same. Which half is the parity of the bits of the id, so that ids with one remainder are in both. The fields are those of sentencepiece_model.proto: ModelProto.pieces 1 (piece 1, score 2, type 3), trainer_spec 2
(model_type 3, vocab_size 4), normalizer_spec 3 (name 1).
"""

from __future__ import annotations

import struct
from itertools import product
from string import ascii_lowercase

NORMAL, UNKNOWN, CONTROL = 1, 2, 3
BPE = 2
FIRST = (("<pad>", CONTROL), ("<s>", CONTROL), ("</s>", CONTROL), ("<unk>", UNKNOWN), ("▁", NORMAL))
PIECE_BYTES = 5
"""Bytes of the text of a word."""
MOST_PIECES = 1 << 16


def model_bytes(vocab: int) -> bytes:
    """The file of a model with `vocab` pieces, 6 to 65,536. Raises ValueError for others."""
    if not len(FIRST) < vocab <= MOST_PIECES:
        raise ValueError(f"a tokenizer has {len(FIRST) + 1} to {MOST_PIECES} pieces here, not {vocab}")
    letters = map("".join, product(ascii_lowercase, repeat=PIECE_BYTES - 1))
    words = (("a▁"[rank.bit_count() % 2] + text, NORMAL) for rank, text in zip(range(len(FIRST), vocab), letters, strict=False))
    pieces = [*FIRST, *words]
    model = b"".join(_field(1, _piece(text, -float(rank), kind)) for rank, (text, kind) in enumerate(pieces))
    trainer = (
        _number(3, BPE)
        + _number(4, vocab)
        + b"".join(_number(field, value) for field, value in ((40, 3), (41, 1), (42, 2), (43, 0)))
    )
    return model + _field(2, trainer) + _field(3, _field(1, b"identity"))


def _piece(text: str, score: float, kind: int) -> bytes:
    return _field(1, text.encode()) + _varint(2 << 3 | 5) + struct.pack("<f", score) + _number(3, kind)


def _field(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _number(number: int, value: int) -> bytes:
    return _varint(number << 3) + _varint(value)


def _varint(value: int) -> bytes:
    parts = []
    while value > 0x7F:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*parts, value])
