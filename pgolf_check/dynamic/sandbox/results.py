"""Reads what a job has written, after its end: regular files only, never through a link, within a cap."""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

DEPTH, ENTRIES = 32, 20_000
"""How deep folders are read, and how many entries."""
NAMED = 50
"""How many entries that were left out are named."""


@dataclass(frozen=True, slots=True)
class Results:
    """The content of the files by relative path, the sizes of all regular ones, and the entries left out, each with its reason."""

    files: dict[str, bytes]
    sizes: dict[str, int]
    left_out: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Entry:
    path: str
    folder: int
    """A descriptor of the folder, valid until the next entry is asked for."""
    name: str
    status: os.stat_result
    reason: str = ""


def collect(folder: Path, listed: Collection[str], most_bytes: int) -> Results:
    """The regular files below `folder` but the `listed` ones, in order of their paths, `most_bytes` in all.

    Nothing may run in the folder any more. Names are those that the job chose: they are relative and without "..", no more is known.
    """
    files: dict[str, bytes] = {}
    sizes: dict[str, int] = {}
    left_out: list[str] = []
    room = most_bytes
    for entry in _entries(folder):
        if entry.path in listed:
            continue
        reason = entry.reason or _unreadable(entry.status)
        if not reason:
            sizes[entry.path] = entry.status.st_size
            reason = "over the limit on what is read" if entry.status.st_size > room else ""
        if not reason:
            content = _content(entry, room)
            if content is not None:
                files[entry.path] = content
                room -= len(content)
                continue
            reason = "cannot be read"
        if len(left_out) < NAMED:
            left_out.append(f"{entry.path!a} ({reason})")
    return Results(files, sizes, tuple(left_out))


def used_bytes(folder: Path) -> tuple[int, bool]:
    """(bytes on disk below a folder that may change meanwhile, whether it has more or deeper entries than are read)"""
    total = 0
    for entry in _entries(folder):
        if entry.reason:
            return total, True
        total += entry.status.st_blocks * 512
    return total, False


def _entries(folder: Path) -> Iterator[_Entry]:
    """All entries but folders; one with a reason where reading stops."""
    seen = 0

    def below(descriptor: int, prefix: str, depth: int) -> Iterator[_Entry]:
        nonlocal seen
        for name in sorted(os.listdir(descriptor)):
            seen += 1
            try:
                status = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
                if seen > ENTRIES:
                    yield _Entry(prefix + name, descriptor, name, status, f"more than {ENTRIES} entries")
                    return
                if not stat.S_ISDIR(status.st_mode):
                    yield _Entry(prefix + name, descriptor, name, status)
                    continue
                if depth == DEPTH:
                    yield _Entry(prefix + name, descriptor, name, status, f"below {DEPTH} folders")
                    continue
                inner = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=descriptor)
            except PermissionError:
                yield _Entry(prefix + name, descriptor, name, status, "a folder that cannot be opened")
                continue
            except OSError:
                continue
            try:
                yield from below(inner, f"{prefix}{name}/", depth + 1)
            finally:
                os.close(inner)

    top = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        yield from below(top, "", 0)
    finally:
        os.close(top)


def _unreadable(status: os.stat_result) -> str:
    if stat.S_ISLNK(status.st_mode):
        return "a link"
    return "" if stat.S_ISREG(status.st_mode) else "no regular file"


def _content(entry: _Entry, room: int) -> bytes | None:
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        with open(os.open(entry.name, flags, dir_fd=entry.folder), "rb") as stream:
            if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
                return None
            content = stream.read(room + 1)
    except OSError:
        return None
    return content if len(content) <= room else None
