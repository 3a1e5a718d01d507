"""CaseOps: capital letters as markers before lower-case ones, without loss (`encode_lossless_caps_v2` of the public scripts).

Over maximal runs of ASCII letters: a run of lower-case letters stays; two or more capitals become ALL + lower case; else a first
capital becomes FIRST + lower case, and every later one NEXT + lower case. Markers in the text itself follow an ESCAPE.
Invariants: decode(encode(text)) == text for every text; decode refuses what encode does not make; the bytes of the sidecar
of a document are those of its text.
"""

import re
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from pgolf_ref.data.pieces import SPACE, Tokenizer
from pgolf_ref.errors import UserError

FIRST, ALL, NEXT, ESCAPE = MARKERS = ("\ue001", "\ue002", "\ue003", "\ue004")

_ENCODED_PARTS = re.compile("[A-Za-z]+|[\ue001-\ue004]")
_DECODED_PARTS = re.compile("\ue004([\ue001-\ue004])|\ue002([a-z]+)|[\ue001\ue003]([a-z])")
_SPACE_MARK = SPACE.encode("utf-8")


class CaseOpsError(UserError):
    """A text that `encode` does not make, or a tokenizer that does not keep the text."""


def encode(text: str) -> str:
    """Text without capital ASCII letters."""
    return _ENCODED_PARTS.sub(lambda match: _encode_part(match[0]), text)


def decode(text: str) -> str:
    """The text that `encode` made this from."""
    decoded = _DECODED_PARTS.sub(lambda match: match[1] or (match[2] or match[3]).upper(), text)
    if encode(decoded) != text:
        raise CaseOpsError("this is no CaseOps text: it has a capital letter or a marker where the encoder makes none")
    return decoded


def original_bytes(encoded: str) -> NDArray[np.uint8]:
    """Of each UTF-8 byte of an encoded text, whether (1) or not (0) the original text has it: markers that were added count 0."""
    counts = np.ones(len(encoded.encode("utf-8")), dtype=np.uint8)
    place, escaped = 0, False
    for character in encoded:
        size = len(character.encode("utf-8"))
        if character in MARKERS and not escaped:
            counts[place : place + size] = 0
        escaped = character == ESCAPE and not escaped
        place += size
    return counts


def encode_document(processor: Tokenizer, text: str) -> tuple[NDArray[np.uint16], NDArray[np.uint16]]:
    """A document as BOS and its token ids, and the sidecar: the bytes of the original text that each token stands for, BOS 0.

    The sidecar's sum is the number of UTF-8 bytes of the text; a tokenizer that drops or changes characters is refused.
    """
    encoded = encode(text)
    ids = processor.encode(encoded, out_type=int)
    counts = original_bytes(encoded)
    data = encoded.encode("utf-8")
    sidecar, place = [0], 0
    for token in ids:
        end = _consumed(processor, token, data, place)
        sidecar.append(int(counts[place:end].sum()))
        place = end
    if place != len(data):
        raise CaseOpsError(
            f"the tokenizer drops the last {len(data) - place} bytes of a document: CaseOps needs one that keeps all"
        )
    return np.array([processor.bos_id(), *ids], dtype=np.uint16), np.array(sidecar, dtype=np.uint16)


def decode_document(processor: Tokenizer, ids: Iterable[int]) -> str:
    """The original text of the tokens of a document, its BOS left out."""
    return decode(processor.decode([int(token) for token in ids if token != processor.bos_id()]))


def _consumed(processor: Tokenizer, token: int, data: bytes, place: int) -> int:
    """Where the bytes at `place` that a token stands for end; the mark of a space stands for a space or for itself."""
    piece = processor.id_to_piece(token)
    is_byte = processor.is_byte(token)
    expected = [bytes([int(piece[1:-1], 16)])] if is_byte else [character.encode("utf-8") for character in piece]
    for part in expected:
        if part == _SPACE_MARK and data.startswith(b" ", place):
            place += 1
        elif data.startswith(part, place):
            place += len(part)
        else:
            raise CaseOpsError(f"the tokenizer gives the piece {piece!r} for other text: CaseOps needs one that normalises nothing")
    return place


def _encode_part(part: str) -> str:
    if part in MARKERS:
        return ESCAPE + part
    if part.islower():
        return part
    if len(part) > 1 and part.isupper():
        return ALL + part.lower()
    first = FIRST + part[0].lower() if part[0].isupper() else part[0]
    return first + "".join(NEXT + letter.lower() if letter.isupper() else letter for letter in part[1:])
