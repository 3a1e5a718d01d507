"""Bits per byte against the bytes of decoded documents, and against the published table by hand."""

import math

import numpy as np
import pytest
from corpora import VOCAB, prepared
from hypothesis import given
from hypothesis import strategies as st
from sentencepiece import SentencePieceProcessor

from pgolf_ref.data.pieces import BOS, EOS, PAD, UNKNOWN
from pgolf_ref.data.shards import documents, read_split
from pgolf_ref.data.tokenizer import encode, load_tokenizer
from pgolf_ref.evaluate.bpb import ByteTable, bits_per_byte, byte_table


def tokenizer() -> SentencePieceProcessor:
    return load_tokenizer(prepared() / "tokenizer.model", VOCAB)


def brute_force(stream: np.ndarray) -> int:
    """The bytes of the text of every document."""
    processor, total = tokenizer(), 0
    for document in documents([stream]):
        total += len(processor.decode(document[1:].tolist()).encode("utf-8"))
    return total


def test_the_bytes_of_a_split_are_those_of_its_decoded_documents() -> None:
    stream = read_split(prepared(), "train")
    table = byte_table(tokenizer())
    assert table.total_bytes(stream) == brute_force(stream) > 10_000


@given(st.lists(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1), min_size=1, max_size=4))
def test_any_text_counts_its_normalised_bytes(texts: list[str]) -> None:
    """Byte fallback included; a piece of a character that was cut in two by nothing is one byte each."""
    stream = np.concatenate(encode(tokenizer(), texts))
    assert byte_table(tokenizer()).total_bytes(stream) == brute_force(stream)


@given(st.lists(st.integers(0, VOCAB - 1), min_size=1, max_size=40), st.integers(1, 9))
def test_the_sum_does_not_depend_on_blocks(ids: list[int], block: int) -> None:
    table, stream = byte_table(tokenizer()), np.array(ids, dtype=np.uint16)
    expected = sum(int(table.target_bytes(stream[i - 1 : i], stream[i : i + 1])[0]) for i in range(1, len(ids)))
    assert table.total_bytes(stream, block) == expected


def test_the_leading_space_is_counted_once_and_not_after_a_control_token() -> None:
    processor, table = tokenizer(), byte_table(tokenizer())
    spaced = next(i for i in range(VOCAB) if len(processor.id_to_piece(i)) > 2 and processor.id_to_piece(i).startswith("\u2581"))
    plain = processor.piece_to_id("e")
    letters = len(processor.id_to_piece(spaced)) - 1

    def count(previous: int, target: int) -> int:
        return int(table.target_bytes(np.array([previous]), np.array([target]))[0])

    assert count(plain, spaced) == letters + 1
    assert [count(control, spaced) for control in (PAD, BOS, EOS, UNKNOWN)] == [letters] * 4
    assert [count(plain, control) for control in (PAD, BOS, EOS, UNKNOWN)] == [0] * 4
    assert count(plain, processor.piece_to_id("<0x41>")) == 1


def test_a_uniform_guess_costs_the_logarithm_of_the_vocabulary() -> None:
    """8 bits per token over 2 bytes per token are 4 bits per byte."""
    assert bits_per_byte(math.log(256) * 1000, 2000) == pytest.approx(4.0, abs=1e-12)


def test_the_table_of_the_published_formula() -> None:
    """Bytes of (previous, target): base, and a space where the target has one and the previous token is no boundary."""
    table = ByteTable(np.array([0, 3, 5]), np.array([False, False, True]), np.array([True, False, False]))
    previous, targets = np.array([0, 0, 0, 1, 1, 2]), np.array([0, 1, 2, 0, 2, 2])
    assert table.target_bytes(previous, targets).tolist() == [0, 3, 5, 0, 6, 6]
