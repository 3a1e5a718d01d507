"""Piece tables read from protobuf bytes: what the library writes, and any other bytes without an exception."""

from __future__ import annotations

import io

import pytest
import sentencepiece as spm
from hypothesis import given
from hypothesis import strategies as st

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
    assert table.has_bare_space() == any(text == SPACE for text, _ in table.pieces())


def test_bytes_of_the_pieces_add_up(model: bytes) -> None:
    table, library = read_pieces(model), spm.SentencePieceProcessor(model_proto=model)
    assert table is not None
    counts = table.byte_counts()
    for text in (*TEXT, "zebra \u00e9\u4e2d", "a  b"):
        normal = " " + library.normalize(text).replace(SPACE, " ").strip()
        assert sum(size + leads for size, leads in (counts[i] for i in library.encode(text))) == len(normal.encode())


@given(st.binary(max_size=300))
def test_any_bytes_are_answered(data: bytes) -> None:
    table = read_pieces(data)
    assert table is None or table.messages


@given(st.integers(0, 4000), st.integers(0, 255))
def test_a_damaged_model_is_answered(model: bytes, at: int, value: int) -> None:
    damaged = bytearray(model)
    damaged[at % len(model)] = value
    read_pieces(bytes(damaged))
