"""Bytes of every usual encoding become the same text, line by line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgolf_check.submission.text import decode, decode_python

TEXT = "step:1/2 train_loss:3.0\nfinal é ✓\n"


@pytest.mark.parametrize(
    ("encoding", "name"),
    [("utf-8", "utf-8"), ("utf-8-sig", "utf-8-sig"), ("utf-16", "utf-16"), ("utf-16-le", "utf-16"), ("utf-16-be", "utf-16")],
)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_encodings_and_line_ends(encoding: str, name: str, end: str) -> None:
    assert decode(TEXT.replace("\n", end).encode(encoding)) == (TEXT, name)


def test_big_endian_mark() -> None:
    assert decode(b"\xfe\xff" + TEXT.encode("utf-16-be")) == (TEXT, "utf-16")


@given(st.binary(max_size=300))
def test_decoding_never_fails_and_keeps_lines(data: bytes) -> None:
    text, encoding = decode(data)
    if encoding in ("utf-8", "damaged"):
        assert text.count("\n") == data.count(b"\n")
    decode_python(data)


def test_the_encoding_line_of_a_source() -> None:
    assert decode_python("# -*- coding: latin-1 -*-\nx = 'é'\n".encode("latin-1")) == "# -*- coding: latin-1 -*-\nx = 'é'\n"
    assert decode_python("# coding: no-such-codec\nx = 'é'\n".encode()).endswith("x = 'é'\n")
