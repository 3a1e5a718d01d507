"""The artifact: named arrays and a little metadata in one file, without pickle.

    magic (8) | sha256 of what follows (32) | codec, by its place in CODECS (1) | compressed size (8) | size (8) | body, compressed
    body = size of the manifest (4) | manifest, JSON | the arrays' bytes in the order of the manifest
    manifest = {"meta": {...}, "arrays": [{"name", "dtype", "shape"}, ...]}

Invariants: the same arrays give the same bytes; every byte of the file is checked, so a corrupted one is refused; numbers are
little-endian; reading allocates no more than MAX_BODY, whatever the file says.
"""

import hashlib
import json
import math
import struct
from collections.abc import Mapping, Sequence
from typing import Any

from numpy.typing import NDArray

from pgolf_ref.errors import UserError
from pgolf_ref.quant.codecs import CODECS, CodecError, compress_smallest, decompress
from pgolf_ref.quant.pack import DTYPES, pack, unpack

MAGIC = b"PGOLF\x00\x01\n"
MAX_BODY = 2**30
_FIXED = struct.Struct("<BQQ")
_START = len(MAGIC) + hashlib.sha256().digest_size


class ContainerError(UserError):
    """The file is not an intact artifact."""


def write_container(arrays: Mapping[str, NDArray[Any]], meta: Mapping[str, Any], codecs: Sequence[str] = ("brotli",)) -> bytes:
    """The bytes of an artifact, compressed by the best of `codecs`."""
    listed = [{"name": name, "dtype": array.dtype.name, "shape": list(array.shape)} for name, array in arrays.items()]
    manifest = json.dumps({"meta": meta, "arrays": listed}, separators=(",", ":"), sort_keys=True).encode("ascii")
    body = b"".join((struct.pack("<I", len(manifest)), manifest, *(pack(array) for array in arrays.values())))
    codec, compressed = compress_smallest(body, codecs)
    rest = _FIXED.pack(CODECS.index(codec), len(compressed), len(body)) + compressed
    return MAGIC + hashlib.sha256(rest).digest() + rest


def read_container(data: bytes, codecs: Sequence[str] = CODECS) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """Arrays and metadata of an intact artifact, which one of `codecs` has compressed."""
    try:
        return _parse(_body(data, codecs))
    except (ContainerError, CodecError) as error:
        raise ContainerError(f"the artifact is damaged: {error}; export it again") from error


def _body(data: bytes, codecs: Sequence[str]) -> bytes:
    rest = data[_START:]
    if not data.startswith(MAGIC) or len(rest) < _FIXED.size:
        raise ContainerError(f"it does not begin as an artifact does ({len(data)} bytes)")
    if hashlib.sha256(rest).digest() != data[len(MAGIC) : _START]:
        raise ContainerError("its checksum does not agree with its content")
    codec, compressed_size, size = _FIXED.unpack_from(rest)
    compressed = rest[_FIXED.size :]
    if codec >= len(CODECS) or len(compressed) != compressed_size or size > MAX_BODY:
        raise ContainerError("its header holds impossible values")
    return decompress(CODECS[codec], compressed, size, codecs)


def _parse(body: bytes) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    if len(body) < 4:
        raise ContainerError("it has no manifest")
    start = 4 + int.from_bytes(body[:4], "little")
    try:
        manifest = json.loads(body[4:start].decode("ascii"))
        meta, listed = dict(manifest["meta"]), [_entry(entry) for entry in manifest["arrays"]]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ContainerError(f"its manifest cannot be read ({error})") from error
    arrays: dict[str, NDArray[Any]] = {}
    for name, dtype, shape in listed:
        end = start + math.prod(shape) * DTYPES[dtype].itemsize
        if name in arrays or end > len(body):
            raise ContainerError(f"its array {name!r} appears twice or is cut off")
        arrays[name] = unpack(body[start:end], dtype, shape)
        start = end
    if start != len(body):
        raise ContainerError(f"{len(body) - start} bytes follow its last array")
    return arrays, meta


def _entry(entry: Any) -> tuple[str, str, tuple[int, ...]]:
    name, dtype, shape = entry["name"], entry["dtype"], tuple(entry["shape"])
    if type(name) is not str or dtype not in DTYPES or not all(type(size) is int and 0 <= size <= MAX_BODY for size in shape):
        raise ValueError(f"array {name!r} of {dtype!r} and shape {shape}")
    return name, dtype, shape
