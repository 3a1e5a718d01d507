"""Reads a tree of a git repository; bare copies too, and those that lack some objects. Links and submodules are not followed."""

from __future__ import annotations

import os

from pgolf_check.model import Location
from pgolf_check.submission.git import Repository
from pgolf_check.submission.model import Problem
from pgolf_check.submission.tree import Listed, printable

ENTRIES = 500_000


class GitTree(Listed):
    """The files of one commit or tree. Missing objects have size 0 and cannot be read."""

    def __init__(self, repo: str, revision: str) -> None:
        self.problems: list[Problem] = []
        self._repository = Repository(repo)
        named = self._repository.resolve(revision, "tree")
        self._blobs: dict[str, str] = {}
        for row in self._repository.run("ls-tree", "-r", "-z", "--full-tree", named).split(b"\0")[:ENTRIES]:
            meta, _, raw = row.partition(b"\t")
            if not raw:
                continue
            mode, kind, name = meta.decode().split()
            path = printable(os.fsdecode(raw))
            if mode == "120000":
                self.problems.append(Problem(Location(path), "is a link; it was not followed"))
            elif kind == "commit":
                self.problems.append(Problem(Location(path), "is a submodule; its files are not in this repository"))
            elif kind == "blob":
                self._blobs[path] = name
        super().__init__(self._blobs)
        self._sizes: dict[str, int] = {}
        self._contents: dict[str, bytes] = {}

    def size(self, path: str) -> int:
        if path not in self._sizes:
            self._sizes[path] = self._measure([path])[path]
        return self._sizes[path]

    def prepare(self, paths: list[str], limit: int) -> None:
        """Measure and read many files with one call of git each."""
        self._sizes.update(self._measure([p for p in paths if p not in self._sizes]))
        wanted = [p for p in paths if 0 < self._sizes[p] <= limit and p not in self._contents]
        for path, data in zip(wanted, self._repository.blobs([self._blobs[p] for p in wanted]), strict=True):
            if data is not None:
                self._contents[path] = data

    def read(self, path: str, limit: int) -> bytes | None:
        if path not in self._contents:
            self.prepare([path], limit)
        data = self._contents.get(path)
        return data if data is not None and len(data) <= limit else b"" if self._empty(path) else None

    def _empty(self, path: str) -> bool:
        return self._sizes.get(path) == 0 and not any(p.location.path == path for p in self.problems)

    def _measure(self, paths: list[str]) -> dict[str, int]:
        sizes: dict[str, int] = {}
        for path, size in zip(paths, self._repository.sizes([self._blobs[p] for p in paths]), strict=True):
            sizes[path] = size or 0
            if size is None:
                self.problems.append(Problem(Location(path), "is not in this copy of the repository"))
        return sizes
