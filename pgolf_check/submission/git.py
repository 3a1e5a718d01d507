"""Runs the git command line on one repository, for reading only: no hook, no fetch, no file system monitor, no replaced object."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence

from pgolf_check.errors import UserError

TIMEOUT = 120
SETTINGS = ("-c", "protocol.allow=never", "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null")
ENVIRONMENT = {
    "GIT_LITERAL_PATHSPECS": "1",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_OPTIONAL_LOCKS": "0",
    "LC_ALL": "C",
}
OVERRIDES = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE")


class Repository:
    """A git repository on this machine, bare or not."""

    def __init__(self, path: str) -> None:
        self.path = path

    def resolve(self, revision: str, kind: str) -> str:
        """The object name of a revision peeled to `kind` (commit or tree), so that it cannot be taken for an option.

        Raises UserError if the repository does not have it.
        """
        if revision.startswith("-") or "\0" in revision or "\n" in revision:
            raise UserError(f"{revision!r} is no git revision; expected a branch, a tag or a commit")
        arguments = ("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{{kind}}}")
        named = self.run(*arguments, check=False).decode().strip()
        if not named:
            raise UserError(
                f"{self.path} has no revision {revision!r}; expected a branch, tag or commit that is in this repository"
            )
        return named

    def top(self) -> str:
        """The folder of the work tree, "" for a bare repository."""
        return self.run("rev-parse", "--show-toplevel", check=False).decode("utf-8", "surrogateescape").rstrip("\n")

    def sizes(self, names: Sequence[str]) -> list[int | None]:
        """The sizes of objects in bytes; None for one that is not in this copy."""
        answer = self._batch("--batch-check", names)
        rows = (line.split() for line in answer.splitlines())
        return [int(row[2]) if len(row) == 3 else None for row in rows]

    def blobs(self, names: Sequence[str]) -> list[bytes | None]:
        """The contents of objects, all in memory at once; None for one that is not in this copy."""
        answer, at = self._batch("--batch", names), 0
        found: list[bytes | None] = []
        for _ in names:
            end = answer.index(b"\n", at)
            row, at = answer[at:end].split(), end + 1
            if len(row) != 3:
                found.append(None)
                continue
            found.append(answer[at : at + int(row[2])])
            at += int(row[2]) + 1
        return found

    def _batch(self, option: str, names: Sequence[str]) -> bytes:
        return self.run("cat-file", option, given="".join(f"{name}\n" for name in names).encode()) if names else b""

    def run(self, *arguments: str, given: bytes | None = None, check: bool = True) -> bytes:
        """The standard output of a git command. Raises UserError if it fails, or with `check=False` if git cannot read at all."""
        environment = {name: value for name, value in os.environ.items() if name not in OVERRIDES} | ENVIRONMENT
        command = ["git", "-C", self.path, *SETTINGS, *arguments]
        try:
            done = subprocess.run(command, input=given or b"", capture_output=True, env=environment, timeout=TIMEOUT, check=False)
        except FileNotFoundError:
            raise UserError("git was not found; expected the git command line to read a repository") from None
        except subprocess.TimeoutExpired:
            raise UserError(f"git did not answer within {TIMEOUT} s for {self.path}") from None
        told = done.stderr.decode("utf-8", "replace").strip().partition("\n")[0]
        if done.returncode and (check or "not a git repository" in told or "cannot change to" in told or "dubious" in told):
            raise UserError(f"git cannot read {self.path}: {told or 'unknown error'}")
        return done.stdout
