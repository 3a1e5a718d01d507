"""The facts of a tokenizer's pieces, against its decoder."""

from corpora import VOCAB, prepared

from pgolf_ref.data.dataset import open_dataset
from pgolf_ref.data.vocabulary import Kind, vocabulary


def test_pieces_are_the_bytes_that_the_decoder_gives() -> None:
    """Token by token between two anchors, as the decoder drops a leading space."""
    dataset = open_dataset(prepared(), VOCAB)
    known, processor = vocabulary(dataset.tokenizer), dataset.tokenizer
    assert len(known) == VOCAB
    tokens = [int(token) for token in dataset.validation[1:400] if token > 3]
    decoded = processor.decode(tokens)
    assert b"".join(known.pieces[token] for token in tokens).decode("utf-8", "replace").strip() == decoded.strip()
    for token, kind in enumerate(known.kinds):
        piece = processor.id_to_piece(token)
        assert known.word_start[token] == (piece.startswith("\u2581") and kind != Kind.CONTROL)
        assert (kind == Kind.CONTROL) == (token < 4)
        assert (kind == Kind.BYTE) == processor.is_byte(token)


class Pieces:
    """A processor of made-up pieces, the first of which is a control piece."""

    def __init__(self, *pieces: str) -> None:
        self._pieces = ("<s>", *pieces)

    def vocab_size(self) -> int:
        return len(self._pieces)

    def id_to_piece(self, token: int) -> str:
        return self._pieces[token]

    def is_control(self, token: int) -> bool:
        return token == 0

    def is_unknown(self, token: int) -> bool:
        return False

    is_unused = is_unknown

    def is_byte(self, token: int) -> bool:
        return self._pieces[token].startswith("<0x")


def test_kinds_of_pieces() -> None:
    """By the first class that fits."""
    known = vocabulary(Pieces("<0x41>", "\u2581\u2581", "\u25817", "7", "\u2581don't", "don't", "\u2581(", "...", "\u00e9"))
    assert [Kind(kind).name for kind in known.kinds] == [
        "CONTROL", "BYTE", "SPACE", "DIGIT", "DIGIT", "WORD_START", "CONTINUATION", "SYMBOL", "SYMBOL", "CONTINUATION",
    ]  # fmt: skip
    assert known.pieces == (b"", b"A", b"  ", b" 7", b"7", b" don't", b"don't", b" (", b"...", "\u00e9".encode())
    assert known.word_start.tolist() == [False, False, True, True, False, True, False, True, False, False]
