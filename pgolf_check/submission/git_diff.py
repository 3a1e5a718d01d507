"""Reads from a git repository what a pull request changes: the tree of its head against that of its merge base."""

from __future__ import annotations

import os
from collections.abc import Sequence

from pgolf_check.errors import UserError
from pgolf_check.submission.git import Repository
from pgolf_check.submission.pull_request import Change, Edit, Entry, PullRequest, submission_folder
from pgolf_check.submission.tree import printable

EDITS = {"A": Edit.ADDED, "D": Edit.DELETED}
ENTRIES = {"120000": Entry.LINK, "160000": Entry.SUBMODULE}
TARGET = 4096
"""Bytes of a link's target that are read; no file system takes more."""


def read_pull_request(repository: Repository, base: str, head: str) -> PullRequest:
    """The pull request that would merge `head` into `base`. Raises UserError if they have no commit in common."""
    tip, top = (repository.resolve(revision, "commit") for revision in (base, head))
    common = repository.run("merge-base", tip, top, check=False).decode().strip()
    if not common:
        raise UserError(
            f"{repository.path}: {base} and {head} have no commit in common; expected the history of both (fetch-depth: 0 in a workflow)"
        )
    return PullRequest(common, top, _changes(repository, common, top), _standing(repository, common))


def tree_paths(repository: Repository, commit: str) -> list[str]:
    """The paths below records/ in a commit."""
    listed = repository.run("ls-tree", "-r", "-z", "--name-only", "--full-tree", commit, "records/")
    return [_path(raw) for raw in listed.split(b"\0") if raw]


def _standing(repository: Repository, commit: str) -> frozenset[str]:
    return frozenset(filter(None, map(submission_folder, tree_paths(repository, commit))))


def _changes(repository: Repository, base: str, head: str) -> tuple[Change, ...]:
    listed = repository.run("diff-tree", "-r", "-z", "--raw", "--no-abbrev", "--no-renames", base, head).split(b"\0")
    rows = [(meta.decode().removeprefix(":").split(), _path(raw)) for meta, raw in zip(listed[::2], listed[1::2], strict=False)]
    links = [row[3] for row, _ in rows if row[1] == "120000"]
    targets = dict(zip(links, _targets(repository, links), strict=True))
    changes = [_change(row, path, targets.get(row[3], "")) for row, path in rows]
    return tuple(sorted(changes, key=lambda change: change.path))


def _change(row: Sequence[str], path: str, target: str) -> Change:
    """One row of git's raw format: the modes before and after, the objects before and after, a letter."""
    before, after, letter = row[0], row[1], row[4]
    edit = EDITS.get(letter[0], Edit.MODIFIED)
    return Change(path, edit, ENTRIES.get(before if edit is Edit.DELETED else after, Entry.FILE), target)


def _targets(repository: Repository, names: Sequence[str]) -> list[str]:
    """Where links lead; one that is too long or not in this copy leads to the root, out of every folder."""
    short = [name for name, size in zip(names, repository.sizes(names), strict=True) if size is not None and size <= TARGET]
    read = dict(zip(short, repository.blobs(short), strict=True))
    return [_path(read.get(name) or b"/") for name in names]


def _path(raw: bytes) -> str:
    return printable(os.fsdecode(raw))
