"""The piece table of a SentencePiece model, read from its protobuf without running it.

Only what byte accounting needs: pieces with their kinds, and how the model normalises text before it cuts it.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import dataclass

SPACE = "\u2581"
"""How a piece spells a space."""
PIECES = 1 << 20
"""More pieces than any tokenizer has."""


class PieceKind(enum.IntEnum):
    """The kinds of the protobuf's `SentencePiece.Type`."""

    NORMAL = 1
    UNKNOWN = 2
    CONTROL = 3
    USER_DEFINED = 4
    UNUSED = 5
    BYTE = 6


@dataclass(frozen=True, slots=True)
class PieceTable:
    """The pieces in the order of their ids, as protobuf messages, and the normalisation."""

    messages: tuple[bytes, ...]
    normalizer: str
    """The name of the normalisation, such as "identity" or "nmt_nfkc_cf"."""
    has_map: bool
    """Whether a table of replaced characters is part of the model."""
    removes_spaces: bool
    """Whether runs of spaces become one."""

    def pieces(self) -> list[tuple[str, PieceKind]]:
        """(text, kind) of each id; ValueError where a message is damaged."""
        return [_piece(message) for message in self.messages]

    def splits_spaces(self) -> bool:
        """Whether a space alone has no piece, so that its three bytes become three byte pieces; no if a message is damaged."""
        try:
            pieces = self.pieces()
        except ValueError:
            return False
        return all(text != SPACE for text, _ in pieces) and any(kind is PieceKind.BYTE for _, kind in pieces)


def read_pieces(data: bytes) -> PieceTable | None:
    """The table in a `.model` file; None if it is none."""
    messages: list[bytes] = []
    spec: dict[int, int | bytes] = {}
    try:
        for number, value in _fields(data):
            if number == 1 and isinstance(value, bytes) and len(messages) < PIECES:
                messages.append(value)
            elif number == 3 and isinstance(value, bytes):
                spec = dict(_fields(value))
        if messages:
            _piece(messages[0])
            return PieceTable(tuple(messages), _text(spec.get(1, b"")), bool(spec.get(2, b"")), bool(spec.get(4, 1)))
    except ValueError:
        pass
    return None


def _piece(data: bytes) -> tuple[str, PieceKind]:
    spec = dict(_fields(data))
    kind = spec.get(3, PieceKind.NORMAL)
    if isinstance(kind, bytes):
        raise ValueError("a text where a number was expected")
    return _text(spec.get(1, b"")), PieceKind(kind)


def _text(value: int | bytes) -> str:
    if not isinstance(value, bytes):
        raise ValueError("a number where a text was expected")
    return value.decode("utf-8")


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """(field number, value) of a protobuf message; ValueError where it is none."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        number, wire = key >> 3, key & 7
        if wire == 0:
            value, at = _varint(data, at)
            yield number, value
            continue
        if wire == 2:
            size, at = _varint(data, at)
        elif wire in (1, 5):
            size = 8 if wire == 1 else 4
        else:
            raise ValueError("not a protobuf message")
        if number == 0 or at + size > len(data):
            raise ValueError("not a protobuf message")
        yield number, data[at : at + size]
        at += size


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(data):
            break
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise ValueError("not a protobuf message")
