"""Reads .zip and .tar archives into memory, without unpacking to disk.

Entries with a path that leaves the archive, links and devices are left out and reported; number and size of entries are capped, and
the decompressor stops at the cap.
"""

from __future__ import annotations

import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from pgolf_check.errors import UserError
from pgolf_check.model import Location
from pgolf_check.submission.decompress import Damaged, Decompressor, stream_decoder
from pgolf_check.submission.model import Problem
from pgolf_check.submission.tree import Listed, printable

SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.xz", ".txz", ".tar.bz2", ".tbz2")
ENTRIES = 10_000
FILE = 5 << 20
TOTAL = 256 << 20
MARKS = ((b"\x1f\x8b", "gzip"), (b"BZh", "bz2"), (b"\xfd7zXZ", "lzma"))
CHUNK = 1 << 16


class ArchiveTree(Listed):
    """An archive's files. Larger ones are known by size only."""

    def __init__(self, sizes: dict[str, int], data: dict[str, bytes], problems: list[Problem]) -> None:
        super().__init__(sizes)
        self.problems = problems
        self._sizes = sizes
        self._data = data

    def size(self, path: str) -> int:
        return self._sizes[path]

    def read(self, path: str, limit: int) -> bytes | None:
        data = self._data.get(path)
        return data if data is not None and len(data) <= limit else None


def is_archive(path: str) -> bool:
    return path.lower().endswith(SUFFIXES)


def open_archive(path: Path) -> ArchiveTree:
    """The files of an archive; UserError if it is none or asks for too much."""
    sizes: dict[str, int] = {}
    data: dict[str, bytes] = {}
    problems: list[Problem] = []
    try:
        members = _zip(path, problems) if path.name.lower().endswith(".zip") else _tar(path, problems)
        total = 0
        for count, (raw, size, content) in enumerate(members, 1):
            if count > ENTRIES:
                raise UserError(f"{path}: the archive has more than {ENTRIES:,} entries; expected one submission")
            name = _safe(raw)
            if not name or name in sizes:
                why = "appears twice; the first one was read" if name else "has a path that leaves the archive; it was not read"
                problems.append(Problem(Location(printable(raw)), why))
                continue
            sizes[name] = size
            if content is not None:
                data[name] = content
                total += len(content)
            if total > TOTAL:
                raise UserError(f"{path}: the archive unpacks to more than {TOTAL >> 20} MiB; expected one submission")
    except (zipfile.BadZipFile, tarfile.TarError, Damaged, EOFError, NotImplementedError, ValueError) as error:
        raise UserError(f"{path}: the archive cannot be read: {str(error).partition(chr(10))[0]}") from None
    except OSError as error:
        raise UserError(f"{path}: the archive cannot be read: {error.strerror or error}") from None
    return ArchiveTree(sizes, data, problems)


def _safe(raw: str) -> str:
    """The entry's path below the archive's top, "" if it leaves it."""
    parts = [part for part in raw.replace("\\", "/").split("/") if part not in ("", ".")]
    if raw.startswith(("/", "\\")) or ".." in parts or any(":" in part for part in parts[:1]) or "\0" in raw:
        return ""
    return printable("/".join(parts))


def _zip(path: Path, problems: list[Problem]) -> Iterator[tuple[str, int, bytes | None]]:
    """(path, size, content if small) of each regular file."""
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            kind = (info.external_attr >> 28) & 0xF
            if info.is_dir():
                continue
            if kind not in (0, 8):
                problems.append(Problem(Location(printable(info.filename)), "is a link or device; it was not read"))
            elif info.flag_bits & 1 or info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                problems.append(
                    Problem(Location(printable(info.filename)), "is encrypted or packed in an unusual way; it was not read")
                )
                yield info.filename, info.file_size, None
            else:
                yield info.filename, info.file_size, _member(archive, info, problems)


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, problems: list[Problem]) -> bytes | None:
    import zlib

    try:
        with archive.open(info) as file:
            content = file.read(FILE + 1)
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        problems.append(Problem(Location(printable(info.filename)), f"is damaged: {error}"))
        return None
    return content if len(content) <= FILE else None


def _tar(path: Path, problems: list[Problem]) -> Iterator[tuple[str, int, bytes | None]]:
    """(path, size, content if small) of each regular file."""
    with open(path, "rb") as raw:
        head = raw.read(8)
        raw.seek(0)
        codec = next((codec for mark, codec in MARKS if head.startswith(mark)), "")
        stream: Any = _Unpacked(raw, codec, path) if codec else raw
        with tarfile.open(fileobj=stream, mode="r|") as archive:
            for member in archive:
                if member.isfile():
                    file = archive.extractfile(member) if member.size <= FILE else None
                    yield member.name, member.size, file.read(FILE + 1) if file is not None else None
                elif not member.isdir():
                    problems.append(Problem(Location(printable(member.name)), "is a link or device; it was not read"))


class _Unpacked:
    """A decompressed stream that ends in an error where it grows over the cap."""

    def __init__(self, raw: IO[bytes], codec: str, path: Path) -> None:
        self._raw = raw
        self._codec = codec
        self._path = path
        self._decoder: Decompressor = stream_decoder(codec)
        self._room = 2 * TOTAL

    def read(self, size: int) -> bytes:
        parts: list[bytes] = []
        while size > 0:
            part = self._next(min(size, CHUNK))
            if not part:
                break
            parts.append(part)
            size -= len(part)
            self._room -= len(part)
            if self._room < 0:
                raise UserError(f"{self._path}: the archive unpacks to more than {2 * TOTAL >> 20} MiB; expected one submission")
        return b"".join(parts)

    def _next(self, size: int) -> bytes:
        """Up to `size` decompressed bytes, b"" at the end."""
        while True:
            fed = b""
            if self._decoder.eof:
                rest = self._decoder.unused_data.lstrip(b"\0") or self._raw.read(CHUNK).lstrip(b"\0")
                if not rest:
                    return b""
                self._decoder, fed = stream_decoder(self._codec), rest
            elif self._decoder.needs_input:
                fed = self._raw.read(CHUNK)
                if not fed:
                    raise EOFError("it ends early")
            part = self._decode(fed, size)
            if part:
                return part

    def _decode(self, fed: bytes, size: int) -> bytes:
        import lzma
        import zlib

        try:
            return self._decoder.decompress(fed, size)
        except (zlib.error, lzma.LZMAError, OSError) as error:
            raise Damaged(str(error)) from None
