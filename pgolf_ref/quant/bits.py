"""Codes of 2 to 8 bits without unused bits between them.

Invariant: `unpack_bits` takes exactly the bytes that `pack_bits` makes, and refuses any other number of them and set bits after
the last code.
"""

import numpy as np
from numpy.typing import NDArray


def pack_bits(codes: NDArray[np.int8], bits: int) -> bytes:
    """Two's complement of each code, highest bit first; the last byte is filled up with zeros."""
    low, high = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
    if codes.size and not low <= int(codes.min()) <= int(codes.max()) <= high:
        raise ValueError(f"codes of {bits} bits are from {low} to {high}")
    spread = np.unpackbits(codes.reshape(-1, 1).view(np.uint8), axis=1)
    return np.packbits(spread[:, 8 - bits :]).tobytes()


def unpack_bits(data: bytes, bits: int, count: int) -> NDArray[np.int8]:
    if len(data) != -(-count * bits // 8):
        raise ValueError(f"{len(data)} bytes do not hold {count} codes of {bits} bits")
    flat = np.unpackbits(np.frombuffer(data, dtype=np.uint8))
    if flat[count * bits :].any():
        raise ValueError("bits are set after the last code")
    spread = flat[: count * bits].reshape(count, bits)
    signs = np.repeat(spread[:, :1], 8 - bits, axis=1)
    return np.packbits(np.concatenate([signs, spread], axis=1), axis=1).view(np.int8).reshape(count)
