"""Every codec returns what was packed, stops at its limit and calls damaged data damaged."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import lzma
import zlib
from collections.abc import Callable

import brotli
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from pgolf_check.submission.decompress import Damaged, TooLarge, unpack

PACK: dict[str, Callable[[bytes], bytes]] = {
    "zlib": zlib.compress,
    "gzip": gzip.compress,
    "bz2": bz2.compress,
    "lzma": lzma.compress,
    "brotli": brotli.compress,
    "zstandard": zstandard.compress,
}
codecs = pytest.mark.parametrize("codec", sorted(PACK))


@given(st.binary(max_size=5000), st.sampled_from(sorted(PACK)))
@settings(deadline=None)
def test_round_trip_and_exact_limit(data: bytes, codec: str) -> None:
    packed = PACK[codec](data)
    assert unpack(codec, packed, len(data)) == data
    if data:
        with pytest.raises(TooLarge):
            unpack(codec, packed, len(data) - 1)


@codecs
def test_cut_data_is_damaged(codec: str) -> None:
    packed = PACK[codec](b"some text " * 100)
    for end in (0, 1, len(packed) // 2, len(packed) - 5):
        with pytest.raises(Damaged):
            unpack(codec, packed[:end], 1 << 20)


@given(st.binary(max_size=200), st.sampled_from(sorted(PACK)))
@settings(deadline=None)
def test_any_bytes_are_answered(data: bytes, codec: str) -> None:
    with contextlib.suppress(Damaged, TooLarge):
        assert len(unpack(codec, data, 1000)) <= 1000


@pytest.mark.parametrize("codec", ["gzip", "bz2", "lzma"])
def test_several_streams_are_one_text(codec: str) -> None:
    assert unpack(codec, PACK[codec](b"one ") + PACK[codec](b"two"), 100) == b"one two"


def test_a_huge_dictionary_is_refused() -> None:
    with pytest.raises(Damaged):
        unpack("lzma", b"\0", 100, format=lzma.FORMAT_RAW, filters=[{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 30}])
