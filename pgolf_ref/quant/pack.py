"""Arrays as bytes that compress well, and back.

Codes stay one byte each, as an entropy coder removes the unused bits; the bytes of wider elements are sorted by significance,
because the high ones repeat. Invariant: `unpack` takes exactly the bytes that `pack` makes, and refuses any other number of them.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

DTYPES: dict[str, np.dtype[Any]] = {
    "int8": np.dtype("<i1"),
    "uint8": np.dtype("<u1"),
    "uint16": np.dtype("<u2"),
    "float16": np.dtype("<f2"),
    "float32": np.dtype("<f4"),
}


def pack(array: NDArray[Any]) -> bytes:
    """An array of one of DTYPES -> bytes"""
    little = np.ascontiguousarray(array, dtype=DTYPES[array.dtype.name])
    return little.reshape(-1).view(np.uint8).reshape(-1, little.itemsize).T.tobytes()


def unpack(data: bytes, dtype: str, shape: tuple[int, ...]) -> NDArray[Any]:
    size = DTYPES[dtype].itemsize
    planes = np.frombuffer(data, dtype=np.uint8).reshape(size, -1)
    return np.array(planes.T, order="C").view(DTYPES[dtype]).reshape(shape)
