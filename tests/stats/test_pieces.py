"""Piece tables read from protobuf bytes: what the library writes, and any other bytes without an exception."""

from __future__ import annotations

import io

import pytest
import sentencepiece as spm
from hypothesis import given
from hypothesis import strategies as st
from submissions import model_of

from pgolf_check.stats.pieces import SPACE, PieceKind, read_pieces

TEXT = ["the cat sat on the mat", "a dog and a cat", "The mat was flat", "cats and dogs sat"] * 20


@pytest.fixture(scope="module")
def model() -> bytes:
    out = io.BytesIO()
    spm.SentencePieceTrainer.train(
        sentence_iterator=iter(TEXT), model_writer=out, vocab_size=290, model_type="bpe", byte_fallback=True, minloglevel=2
    )
    return out.getvalue()


def test_the_table_is_the_librarys(model: bytes) -> None:
    table, library = read_pieces(model), spm.SentencePieceProcessor(model_proto=model)
    assert table is not None
    assert [text for text, _ in table.pieces()] == [library.id_to_piece(i) for i in range(library.vocab_size())]
    assert [kind is PieceKind.BYTE for _, kind in table.pieces()] == [library.is_byte(i) for i in range(library.vocab_size())]
    assert table.normalizer == "nmt_nfkc" and table.has_map


@pytest.mark.parametrize(
    ("pieces", "splits"),
    [
        ([(SPACE, PieceKind.NORMAL), ("<0x20>", PieceKind.BYTE)], False),
        ([(SPACE + "a", PieceKind.NORMAL), ("<0x20>", PieceKind.BYTE)], True),
        ([(SPACE + "a", PieceKind.NORMAL), ("a", PieceKind.NORMAL)], False),
    ],
)
def test_a_space_without_a_piece_becomes_bytes(pieces: list[tuple[str, PieceKind]], splits: bool) -> None:
    table = read_pieces(model_of(pieces))
    assert table is not None and table.splits_spaces() == splits


@given(st.binary(max_size=300))
def test_any_bytes_are_answered(data: bytes) -> None:
    table = read_pieces(data)
    assert table is None or table.messages


@given(st.integers(0, 4000), st.integers(0, 255))
def test_a_damaged_model_is_answered(model: bytes, at: int, value: int) -> None:
    damaged = bytearray(model)
    damaged[at % len(model)] = value
    read_pieces(bytes(damaged))
