"""A challenge repository with pull requests as branches, built with git for the tests of the gate."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fixtures import BASE

TRACK = "records/track_10min_16mb"
STANDING = f"{TRACK}/2026-03-18_Standing"
NEW = f"{TRACK}/2026-04-01_New"
IDENTITY = {
    f"GIT_{who}_{what}": value
    for who in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "n"), ("EMAIL", "n@example.org"), ("DATE", "2026-04-01T00:00:00Z"))
}


class Challenge:
    """`main` has one record and a root script; each pull request is a branch."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.git("init", "-q", "-b", "main", ".")
        self.write("train_gpt.py", "print('baseline')\n")
        self.submit(STANDING)
        self.commit()

    def git(self, *arguments: str) -> str:
        self.path.mkdir(exist_ok=True)
        environment = {**os.environ, **IDENTITY, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
        done = subprocess.run(["git", *arguments], cwd=self.path, env=environment, capture_output=True, check=True)
        return done.stdout.decode("utf-8", "surrogateescape").strip()

    def write(self, path: str, text: str) -> None:
        file = self.path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")

    def submit(self, folder: str) -> Path:
        """Lay the legal submission into a folder."""
        return Path(shutil.copytree(BASE, self.path / folder))

    def commit(self) -> str:
        """Commit the work tree."""
        self.git("add", "--all")
        self.git("commit", "-q", "--allow-empty", "-m", "change")
        return self.git("rev-parse", "HEAD")

    @contextmanager
    def pull_request(self, name: str) -> Iterator[None]:
        """A branch from main whose work tree is committed at the end."""
        self.git("checkout", "-q", "-b", name, "main")
        yield
        self.commit()
        self.git("checkout", "-q", "main")

    def submodule(self, path: str) -> None:
        """A submodule as git records it; its files are elsewhere."""
        (self.path / path).mkdir(parents=True)
        self.git("update-index", "--add", "--cacheinfo", f"160000,{self.git('rev-parse', 'main')},{path}")
