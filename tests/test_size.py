"""The packed size of a script is that of a wrapper that really extracts it."""

from __future__ import annotations

import base64
import lzma

from hypothesis import given, settings
from hypothesis import strategies as st

from pgolf_check.stats.size import WRAPPER, packed_size

FILTERS = [{"id": lzma.FILTER_LZMA2}]


def test_the_wrapper_runs() -> None:
    payload = base64.b85encode(lzma.compress(b"answer = 6 * 7\n", format=lzma.FORMAT_RAW, filters=FILTERS)).decode()
    scope: dict[str, object] = {}
    exec(WRAPPER.replace('""', f'"{payload}"'), scope)
    assert scope["answer"] == 42


@settings(max_examples=30, deadline=None)
@given(st.text(max_size=200))
def test_any_text_has_a_size(text: str) -> None:
    assert packed_size(text) >= len(WRAPPER)


def test_packing_removes_comments_and_repetition() -> None:
    plain = "\n".join(f"value_{i} = {i}  # a comment" for i in range(2_000))
    assert packed_size(plain) < len(plain) / 5
    assert packed_size("x = 1  # " + "a" * 10) <= packed_size("x = 1  # " + "abcdefghijklmnop" * 9)
