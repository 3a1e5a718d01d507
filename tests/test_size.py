"""The packed size of a script is that of a wrapper that really extracts it."""

from __future__ import annotations

import base64
import lzma
import subprocess
import sys
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


def test_packing_needs_little_memory() -> None:
    source = "\n".join(f"value_{n} = {n * n}" for n in range(2000))
    code = f"import resource; resource.setrlimit(resource.RLIMIT_DATA, (400 << 20,) * 2)\nfrom pgolf_check.stats.size import packed_size\nprint(packed_size({source!r}))"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(ended.stdout) == packed_size(source)
