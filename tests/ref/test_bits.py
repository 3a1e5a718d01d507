"""Codes of few bits, packed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgolf_ref.quant.bits import pack_bits, unpack_bits


@given(st.integers(2, 8), st.data())
def test_codes_come_back(bits: int, data: st.DataObject) -> None:
    drawn = data.draw(st.lists(st.integers(-(1 << (bits - 1)), (1 << (bits - 1)) - 1), max_size=40))
    codes = np.array(drawn, dtype=np.int8)
    packed = pack_bits(codes, bits)
    assert len(packed) == -(-len(drawn) * bits // 8)
    assert unpack_bits(packed, bits, len(drawn)).tolist() == drawn


def test_bits_are_in_order() -> None:
    assert pack_bits(np.array([1, -1, 0], dtype=np.int8), 3) == bytes([0b00111100, 0])


@pytest.mark.parametrize("data", [b"", b"\0", b"\0\0\0", b"\0\x01"])
def test_other_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="bits"):
        unpack_bits(data, 3, 3)


def test_codes_out_of_range_are_refused() -> None:
    with pytest.raises(ValueError, match="from -4 to 3"):
        pack_bits(np.array([4], dtype=np.int8), 3)
