"""A place that files are read from: a folder, an archive in memory, or a git tree. Paths are relative POSIX paths, "" is the top.

Nothing outside the place is ever read: links that leave it are not followed and are reported.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Protocol

from pgolf_check.errors import UserError
from pgolf_check.model import Location
from pgolf_check.submission.model import Problem


class Tree(Protocol):
    """What every place can do. `problems` collects what could not be read."""

    problems: list[Problem]

    def names(self, folder: str) -> tuple[list[str], list[str]]:
        """(files, folders) directly in a folder, by name."""

    def size(self, path: str) -> int:
        """Bytes of a file."""

    def read(self, path: str, limit: int) -> bytes | None:
        """The content of a file; None if it is larger than `limit` or cannot be read."""


def join(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name


def printable(path: str) -> str:
    """A path that can be written as UTF-8."""
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


class Listed:
    """The folders of a flat list of paths; the part that archive and git share."""

    def __init__(self, paths: Iterable[str]) -> None:
        self._folders: dict[str, tuple[set[str], set[str]]] = {"": (set(), set())}
        for path in paths:
            *parents, name = PurePosixPath(path).parts
            folder = ""
            for part in parents:
                self._folders.setdefault(folder, (set(), set()))[1].add(part)
                folder = join(folder, part)
            self._folders.setdefault(folder, (set(), set()))[0].add(name)

    def names(self, folder: str) -> tuple[list[str], list[str]]:
        files, folders = self._folders.get(folder, (set(), set()))
        return sorted(files), sorted(folders)


class FolderTree:
    """A folder of the file system. `top` is the highest folder that may be read."""

    def __init__(self, top: Path) -> None:
        self.top = top.resolve()
        self.problems: list[Problem] = []

    def names(self, folder: str) -> tuple[list[str], list[str]]:
        files: list[str] = []
        folders: list[str] = []
        try:
            with os.scandir(self.top / folder) as entries:
                for entry in entries:
                    if entry.is_symlink() and not self._stays(entry):
                        continue
                    if entry.is_file():
                        files.append(entry.name)
                    elif entry.is_dir(follow_symlinks=False):
                        folders.append(entry.name)
        except OSError as error:
            if not folder:
                raise UserError(f"{self.top}: the folder cannot be read: {error.strerror}") from None
            self._problem(folder, f"the folder cannot be read: {error.strerror}")
        return sorted(files), sorted(folders)

    def _stays(self, entry: os.DirEntry[str]) -> bool:
        """Whether a link leads to a file in the folder."""
        path = Path(entry.path)
        try:
            inside = path.resolve(strict=True).is_relative_to(self.top)
        except (OSError, RuntimeError):
            self._problem(str(path.relative_to(self.top)), "is a link that leads nowhere")
            return False
        if not inside:
            self._problem(str(path.relative_to(self.top)), "is a link that leaves the submission's folder; it was not followed")
        return inside

    def size(self, path: str) -> int:
        try:
            return (self.top / path).stat().st_size
        except OSError:
            return 0

    def read(self, path: str, limit: int) -> bytes | None:
        try:
            handle = os.open(self.top / path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
            with open(handle, "rb") as file:
                if not stat.S_ISREG(os.fstat(handle).st_mode):
                    return None
                data = file.read(limit + 1)
        except OSError as error:
            self._problem(path, f"cannot be read: {error.strerror}")
            return None
        return data if len(data) <= limit else None

    def _problem(self, path: str, message: str) -> None:
        problem = Problem(Location(printable(path)), message)
        if problem not in self.problems:
            self.problems.append(problem)
