"""What every tokenizer of the challenge has: the ids of its special pieces, and what can be asked of it."""

from collections.abc import Sequence
from typing import Any, Protocol

PAD, BOS, EOS, UNKNOWN = range(4)
SPACE = "\u2581"  # stands for a space in the text of a piece


class Tokenizer(Protocol):
    """The part of a SentencePiece processor that this package uses."""

    def vocab_size(self) -> int: ...

    def bos_id(self) -> int: ...

    def id_to_piece(self, token: int) -> str:
        """The text of a piece; <0x41> for a byte."""

    def is_control(self, token: int) -> bool: ...

    def is_unknown(self, token: int) -> bool: ...

    def is_unused(self, token: int) -> bool: ...

    def is_byte(self, token: int) -> bool: ...

    def encode(self, text: Any, **options: Any) -> Any:
        """A text -> its ids, a list of texts -> a list of ids each."""

    def decode(self, ids: Sequence[int]) -> str: ...

    def serialized_model_proto(self) -> bytes:
        """The tokenizer as bytes, which tell it from any other."""
