"""Reads a tree of a git repository through the git command line; bare copies too, and those that lack some objects.

A revision is resolved to an object name first, so that neither it nor a path can be taken for an option; git may not fetch.
"""

from __future__ import annotations

import os
import subprocess

from pgolf_check.errors import UserError
from pgolf_check.model import Location
from pgolf_check.submission.model import Problem
from pgolf_check.submission.tree import Listed, printable

TIMEOUT = 120
SETTINGS = ("-c", "protocol.allow=never", "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null")
ENTRIES = 500_000


class GitTree(Listed):
    """The files of one commit or tree. Missing objects have size 0 and cannot be read."""

    def __init__(self, repo: str, revision: str) -> None:
        self.problems: list[Problem] = []
        self._repo = repo
        if revision.startswith("-") or "\0" in revision or "\n" in revision:
            raise UserError(f"{revision!r} is no git revision; expected REF:PATH such as main:records/track/folder")
        named = (
            self._git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{tree}}", check=False).decode().strip()
        )
        if not named:
            raise UserError(f"{repo} has no revision {revision!r}; expected a branch, tag or commit that is in this repository")
        self._blobs: dict[str, str] = {}
        for row in self._git("ls-tree", "-r", "-z", "--full-tree", named).split(b"\0")[:ENTRIES]:
            meta, _, raw = row.partition(b"\t")
            if not raw:
                continue
            mode, kind, name = meta.decode().split()
            path = printable(os.fsdecode(raw))
            if mode == "120000":
                self.problems.append(Problem(Location(path), "is a link; it was not followed"))
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
        answer = self._batch("--batch", wanted)
        at = 0
        for path in wanted:
            end = answer.index(b"\n", at)
            words = answer[at:end].split()
            at = end + 1
            if len(words) == 3:
                size = int(words[2])
                self._contents[path] = answer[at : at + size]
                at += size + 1

    def read(self, path: str, limit: int) -> bytes | None:
        if path not in self._contents:
            self.prepare([path], limit)
        data = self._contents.get(path)
        return data if data is not None and len(data) <= limit else b"" if self._empty(path) else None

    def _empty(self, path: str) -> bool:
        return self._sizes.get(path) == 0 and not any(p.location.path == path for p in self.problems)

    def _measure(self, paths: list[str]) -> dict[str, int]:
        sizes: dict[str, int] = {}
        for path, line in zip(paths, self._batch("--batch-check", paths).splitlines(), strict=False):
            words = line.split()
            sizes[path] = int(words[2]) if len(words) == 3 else 0
            if len(words) != 3:
                self.problems.append(Problem(Location(path), "is not in this copy of the repository"))
        return sizes

    def _batch(self, option: str, paths: list[str]) -> bytes:
        names = "".join(f"{self._blobs[path]}\n" for path in paths).encode()
        return self._git("cat-file", option, given=names) if paths else b""

    def _git(self, *arguments: str, given: bytes | None = None, check: bool = True) -> bytes:
        environment = {**os.environ, "GIT_NO_LAZY_FETCH": "1", "GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}
        for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
            environment.pop(name, None)
        command = ["git", "-C", self._repo, *SETTINGS, *arguments]
        try:
            done = subprocess.run(command, input=given or b"", capture_output=True, env=environment, timeout=TIMEOUT, check=False)
        except FileNotFoundError:
            raise UserError("git was not found; expected the git command line for REF:PATH") from None
        except subprocess.TimeoutExpired:
            raise UserError(f"git did not answer within {TIMEOUT} s for {self._repo}") from None
        told = done.stderr.decode("utf-8", "replace").strip().partition("\n")[0]
        if done.returncode and (check or "not a git repository" in told or "cannot change to" in told or "dubious" in told):
            raise UserError(f"git cannot read {self._repo}: {told or 'unknown error'}")
        return done.stdout
