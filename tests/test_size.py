"""The packed size of a script is that of a wrapper that really extracts it."""

from __future__ import annotations

import base64
import lzma
from collections.abc import Callable

import brotli
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pgolf_check.stats.size import BROTLI, LZMA, packed_size

FILTERS = [{"id": lzma.FILTER_LZMA2}]


def raw_lzma(data: bytes) -> bytes:
    return lzma.compress(data, format=lzma.FORMAT_RAW, filters=FILTERS)


@pytest.mark.parametrize(("wrapper", "compress"), [(LZMA, raw_lzma), (BROTLI, brotli.compress)])
def test_the_wrapper_runs(wrapper: str, compress: Callable[[bytes], bytes]) -> None:
    payload = base64.b85encode(compress(b"answer = 6 * 7\n")).decode()
    scope: dict[str, object] = {}
    exec(wrapper.replace('""', f'"{payload}"'), scope)
    assert scope["answer"] == 42


@settings(max_examples=30, deadline=None)
@given(st.text(max_size=200))
def test_any_text_has_a_size(text: str) -> None:
    assert packed_size(text) >= len(BROTLI)


def test_packing_removes_comments_and_repetition() -> None:
    plain = "\n".join(f"value_{i} = {i}  # a comment" for i in range(2_000))
    assert packed_size(plain) < len(plain) / 5
    assert packed_size("x = 1  # " + "a" * 10) <= packed_size("x = 1  # " + "abcdefghijklmnop" * 9)
