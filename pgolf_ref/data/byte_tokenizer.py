"""The tokenizer of bytes: 4 special pieces, then one piece per byte.

Invariant: the tokens of a text are its UTF-8 bytes plus 4, so that nothing is normalised and every text comes back.
"""

import json
from collections.abc import Sequence
from typing import Any

from pgolf_ref.data.pieces import BOS, EOS, PAD, UNKNOWN
from pgolf_ref.errors import UserError

OFFSET = 4
VOCAB_SIZE = OFFSET + 256
SPECIAL = {PAD: "<pad>", BOS: "<s>", EOS: "</s>", UNKNOWN: "<unk>"}
DESCRIPTION = {
    "tokenizer_type": "pure_byte",
    "config": {"pad_id": PAD, "bos_id": BOS, "eos_id": EOS, "unk_id": UNKNOWN, "byte_offset": OFFSET, "byte_count": 256},
    "vocab_size": VOCAB_SIZE,
}


class ByteTokenizer:
    """A `Tokenizer`, with the names that SentencePiece gives to bytes."""

    @classmethod
    def read(cls, data: bytes) -> "ByteTokenizer":
        """The tokenizer that a JSON file describes; only the one of the challenge is known."""
        try:
            found = json.loads(data)
        except ValueError as error:
            raise UserError(f"no description of a byte tokenizer: {error}") from error
        if not isinstance(found, dict) or {name: found.get(name) for name in DESCRIPTION} != DESCRIPTION:
            raise UserError(f"no description of the byte tokenizer with bytes from id {OFFSET} on")
        return cls()

    def vocab_size(self) -> int:
        return VOCAB_SIZE

    def bos_id(self) -> int:
        return BOS

    def id_to_piece(self, token: int) -> str:
        return SPECIAL[token] if token < OFFSET else f"<0x{token - OFFSET:02X}>"

    def is_control(self, token: int) -> bool:
        return token in (PAD, BOS, EOS)

    def is_unknown(self, token: int) -> bool:
        return token == UNKNOWN

    def is_unused(self, token: int) -> bool:
        return False

    def is_byte(self, token: int) -> bool:
        return token >= OFFSET

    def encode(self, text: Any, **options: Any) -> Any:
        if isinstance(text, str):
            return [byte + OFFSET for byte in text.encode("utf-8")]
        return [self.encode(one) for one in text]

    def decode(self, ids: Sequence[int]) -> str:
        return bytes(token - OFFSET for token in ids if token >= OFFSET).decode("utf-8", "replace")

    def serialized_model_proto(self) -> bytes:
        return json.dumps(DESCRIPTION).encode("ascii")
