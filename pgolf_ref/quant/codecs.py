"""Compression by name, with a limit on what comes out.

Invariants: the same bytes in give the same bytes out; decompression gives exactly the size that was asked for, or CodecError.
brotli and zstandard are imported where they are used: an artifact needs the library of its own codec alone.
"""

import lzma
import zlib
from collections.abc import Sequence
from typing import Any

from pgolf_ref.errors import UserError

CODECS = ("brotli", "zstd", "lzma", "zlib")
_LZMA = [{"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME}]


class CodecError(Exception):
    """The data cannot be decompressed to the expected size."""


def compress_smallest(data: bytes, codecs: Sequence[str]) -> tuple[str, bytes]:
    """The name and output of the codec with the smallest output, the first of equals."""
    outputs = {name: compress(name, data, codecs) for name in codecs}
    best = min(outputs, key=lambda name: len(outputs[name]))
    return best, outputs[best]


def compress(name: str, data: bytes, codecs: Sequence[str] = CODECS) -> bytes:
    """By one of `codecs`."""
    if "brotli" in codecs and name == "brotli":
        import brotli

        return bytes(brotli.compress(data, quality=11, lgwin=24))
    if "zstd" in codecs and name == "zstd":
        return bytes(_zstandard().ZstdCompressor(level=22, write_content_size=True).compress(data))
    if "lzma" in codecs and name == "lzma":
        return lzma.compress(data, format=lzma.FORMAT_RAW, filters=_LZMA)
    if "zlib" in codecs and name == "zlib":
        return zlib.compress(data, level=9)
    raise UserError(f"no codec {name!r}: give one of {', '.join(codecs)}")


def decompress(name: str, data: bytes, size: int, codecs: Sequence[str] = CODECS) -> bytes:
    """Exactly `size` bytes; never holds much more than that."""
    out = _decompressed(name, data, size, codecs)
    if len(out) != size:
        raise CodecError(f"{name} gives {len(out)} bytes or more where {size} are expected")
    return out


def _decompressed(name: str, data: bytes, size: int, codecs: Sequence[str]) -> bytes:
    if "brotli" in codecs and name == "brotli":
        return _brotli(data, size)
    if "zstd" in codecs and name == "zstd":
        return _zstd(data, size)
    if "lzma" in codecs and name == "lzma":
        return _lzma(data, size)
    if "zlib" in codecs and name == "zlib":
        return _zlib(data, size)
    raise CodecError(f"unknown codec {name!r}")


def _brotli(data: bytes, size: int) -> bytes:
    import brotli

    decoder = brotli.Decompressor()
    parts, left = [], size + 1
    try:
        part = decoder.process(data, output_buffer_limit=left)
        while part and left > 0:
            parts.append(part)
            left -= len(part)
            part = decoder.process(b"", output_buffer_limit=left) if left > 0 else b""
    except brotli.error as error:
        raise CodecError(f"brotli: {error}") from error
    if not decoder.is_finished():
        raise CodecError("brotli: the data end too early or go on too long")
    return b"".join(parts)


def _zstd(data: bytes, size: int) -> bytes:
    zstandard = _zstandard()
    try:
        return bytes(zstandard.ZstdDecompressor().decompress(data, max_output_size=size, allow_extra_data=False))
    except zstandard.ZstdError as error:
        raise CodecError(f"zstd: {error}") from error


def _lzma(data: bytes, size: int) -> bytes:
    decoder = lzma.LZMADecompressor(format=lzma.FORMAT_RAW, filters=_LZMA)
    try:
        return decoder.decompress(data, max_length=size + 1)
    except lzma.LZMAError as error:
        raise CodecError(f"lzma: {error}") from error


def _zlib(data: bytes, size: int) -> bytes:
    decoder = zlib.decompressobj()
    try:
        out = decoder.decompress(data, size + 1)
    except zlib.error as error:
        raise CodecError(f"zlib: {error}") from error
    if not decoder.eof or decoder.unused_data:
        raise CodecError("zlib: the data end too early or go on too long")
    return out


def _zstandard() -> Any:
    try:
        import zstandard
    except ImportError as error:
        raise UserError("the codec zstd needs the package zstandard: install it or set export.codec=brotli") from error
    return zstandard
