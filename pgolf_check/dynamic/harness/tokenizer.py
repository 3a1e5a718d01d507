"""A sentencepiece model of any size, written without training: control pieces, 256 byte pieces, then short words.

The fields are those of sentencepiece_model.proto: ModelProto.pieces 1 (piece 1, score 2, type 3), trainer_spec 2 (model_type 3,
vocab_size 4, byte_fallback 35), normalizer_spec 3 (name 1).
"""

from __future__ import annotations

import struct
from itertools import product
from string import ascii_lowercase

NORMAL, UNKNOWN, CONTROL, BYTE = 1, 2, 3, 6
BPE = 2
BYTES = 256
SPECIAL = (("<pad>", CONTROL), ("<s>", CONTROL), ("</s>", CONTROL), ("<unk>", UNKNOWN))


def model_bytes(vocab: int) -> bytes:
    """The file of a model with `vocab` pieces, at least 261. Raises ValueError for fewer."""
    words = vocab - len(SPECIAL) - BYTES
    if words < 1:
        raise ValueError(f"a tokenizer with byte pieces has at least {len(SPECIAL) + BYTES + 1} pieces, not {vocab}")
    texts = [
        "▁",
        *(
            start + "".join(letters)
            for size in (1, 2, 3)
            for start in ("", "▁")
            for letters in product(ascii_lowercase, repeat=size)
        ),
    ]
    pieces = [*SPECIAL, *((f"<0x{value:02X}>", BYTE) for value in range(BYTES)), *((text, NORMAL) for text in texts[:words])]
    model = b"".join(_field(1, _piece(text, -float(rank), kind)) for rank, (text, kind) in enumerate(pieces))
    trainer = (
        _number(3, BPE)
        + _number(4, vocab)
        + _number(35, 1)
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
