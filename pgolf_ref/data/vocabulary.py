"""What a model may know of its tokenizer's pieces: their bytes, whether they begin a word, and what kind they are.

Invariant: these are functions of the tokenizer alone; they say nothing of any text.
"""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from pgolf_ref.data.pieces import SPACE, Tokenizer


class Kind(IntEnum):
    """Classes of pieces, by the first thing that holds."""

    CONTROL = 0  # control, unknown and unused pieces
    BYTE = 1  # byte fallback
    SPACE = 2  # white space alone
    DIGIT = 3  # digits, with or without a leading space
    WORD_START = 4  # a leading space and at least one letter
    CONTINUATION = 5  # at least one letter, no leading space
    SYMBOL = 6  # punctuation and all else


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """One entry per token."""

    pieces: tuple[bytes, ...]  # with the leading space as a space; control pieces are empty
    word_start: NDArray[np.bool_]  # whether the piece begins with the space mark
    kinds: NDArray[np.uint8]  # of Kind

    def __len__(self) -> int:
        return len(self.pieces)


def vocabulary(processor: Tokenizer) -> Vocabulary:
    """The vocabulary of a tokenizer."""
    pieces: list[bytes] = []
    kinds: list[Kind] = []
    starts: list[bool] = []
    for token in range(processor.vocab_size()):
        piece = processor.id_to_piece(token)
        if processor.is_control(token) or processor.is_unknown(token) or processor.is_unused(token):
            entry = (b"", Kind.CONTROL, False)
        elif processor.is_byte(token):
            entry = (bytes([int(piece[1:-1], 16)]), Kind.BYTE, False)
        else:
            entry = (piece.replace(SPACE, " ").encode("utf-8"), _kind(piece), piece.startswith(SPACE))
        pieces.append(entry[0])
        kinds.append(entry[1])
        starts.append(entry[2])
    return Vocabulary(tuple(pieces), np.array(starts, dtype=np.bool_), np.array(kinds, dtype=np.uint8))


def _kind(piece: str) -> Kind:
    text = piece.replace(SPACE, " ")
    if not text.strip():
        return Kind.SPACE
    if text.strip().isdigit():
        return Kind.DIGIT
    if any(character.isalpha() for character in text):
        return Kind.WORD_START if text[0] == " " else Kind.CONTINUATION
    return Kind.SYMBOL
