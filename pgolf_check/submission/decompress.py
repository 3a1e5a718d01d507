"""Decompression of hostile data: every codec stops at a limit, in time and memory proportional to it.

`unpack(codec, data, limit)` returns at most `limit` bytes or raises `Damaged` or `TooLarge`; no codec sees the network or a file.
"""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

MEMORY = 256 << 20
"""What a decoder may use for its own tables and window."""


class Damaged(Exception):
    """The data is not what the codec expects; the message says so in a clause."""


class TooLarge(Exception):
    """The data decompresses to more than the limit."""


class Decompressor(Protocol):
    """A streaming decoder, as bz2 and lzma offer it."""

    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    @property
    def needs_input(self) -> bool: ...
    def decompress(self, data: bytes, max_length: int = ..., /) -> bytes: ...


class Inflate:
    """zlib's decoder in the form of the others."""

    def __init__(self, wbits: int) -> None:
        self._decoder = zlib.decompressobj(wbits)

    @property
    def eof(self) -> bool:
        return self._decoder.eof

    @property
    def unused_data(self) -> bytes:
        return self._decoder.unused_data

    @property
    def needs_input(self) -> bool:
        return not self._decoder.unconsumed_tail

    def decompress(self, data: bytes, max_length: int = 0, /) -> bytes:
        return self._decoder.decompress(self._decoder.unconsumed_tail + data, max(max_length, 0))


def unpack(codec: str, data: bytes, limit: int, **options: Any) -> bytes:
    """What `data` decompresses to. `codec`: zlib, gzip, bz2, lzma, brotli or zstandard; options are those of the library."""
    try:
        if codec == "brotli":
            return _brotli(data, limit)
        if codec == "zstandard":
            return _zstandard(data, limit)
        return _streams(_factory(codec, **options), data, limit, several=codec in ("gzip", "bz2", "lzma"))
    except (zlib.error, lzma.LZMAError, OSError, EOFError, ValueError, TypeError, MemoryError, OverflowError) as error:
        raise Damaged(f"{codec} data is damaged: {error}") from None


def _factory(codec: str, **options: Any) -> Callable[[], Decompressor]:
    match codec:
        case "zlib":
            wbits = int(options.get("wbits", zlib.MAX_WBITS))
            return lambda: Inflate(wbits)
        case "gzip":
            return lambda: Inflate(16 + zlib.MAX_WBITS)
        case "bz2":
            return bz2.BZ2Decompressor
        case "lzma":
            return lambda: lzma_decoder(options.get("format", lzma.FORMAT_AUTO), options.get("filters"))
    raise Damaged(f"unknown compression {codec!r}")


def stream_decoder(codec: str) -> Decompressor:
    """A fresh decoder of gzip, bz2 or lzma files."""
    return _factory(codec)()


def lzma_decoder(container: int = lzma.FORMAT_AUTO, filters: Sequence[Mapping[str, Any]] | None = None) -> lzma.LZMADecompressor:
    """A decoder of .xz, .lzma or raw data whose dictionary fits the memory allowed."""
    if container != lzma.FORMAT_RAW:
        return lzma.LZMADecompressor(container, memlimit=MEMORY)
    chain = [dict(f) for f in filters or ()]
    if any(int(f.get("dict_size", 0)) > MEMORY // 2 for f in chain):
        raise Damaged("lzma data asks for too large a dictionary")
    return lzma.LZMADecompressor(container, filters=chain)


def _streams(fresh: Callable[[], Decompressor], data: bytes, limit: int, *, several: bool) -> bytes:
    """All streams in `data`; what follows the last one is ignored, as the libraries do."""
    parts: list[bytes] = []
    room = limit
    while True:
        decoder = fresh()
        try:
            part = _stream(decoder, data, room)
        except (zlib.error, lzma.LZMAError, OSError):
            if parts:
                break
            raise
        parts.append(part)
        room -= len(part)
        data = decoder.unused_data.lstrip(b"\0") if several else b""
        if not data:
            break
    return b"".join(parts)


def _stream(decoder: Decompressor, data: bytes, limit: int) -> bytes:
    parts: list[bytes] = []
    room = limit
    while not decoder.eof:
        part = decoder.decompress(data, room + 1)
        if len(part) > room:
            raise TooLarge
        if not part and decoder.needs_input and not decoder.eof:
            raise EOFError("it ends early")
        parts.append(part)
        room -= len(part)
        data = b""
    return b"".join(parts)


def _brotli(data: bytes, limit: int) -> bytes:
    import brotli

    decoder = brotli.Decompressor()
    parts: list[bytes] = []
    room = limit
    try:
        while not decoder.is_finished():
            part = decoder.process(data, output_buffer_limit=room + 1)
            if len(part) > room:
                raise TooLarge
            if not part and decoder.can_accept_more_data() and not decoder.is_finished():
                raise EOFError("it ends early")
            parts.append(part)
            room -= len(part)
            data = b""
    except brotli.error as error:
        raise ValueError(error) from None
    return b"".join(parts)


def _zstandard(data: bytes, limit: int) -> bytes:
    import zstandard

    try:
        with zstandard.ZstdDecompressor(max_window_size=MEMORY // 2).stream_reader(data, read_across_frames=True) as reader:
            found = reader.read(limit + 1)
        stated = zstandard.frame_content_size(data)
    except zstandard.ZstdError as error:
        raise ValueError(error) from None
    if len(found) > limit:
        raise TooLarge
    if len(found) < stated:
        raise EOFError("it ends early")
    return bytes(found)
