"""What a pull request changes: one entry per path between its merge base and its head. A rename is a deletion and an addition."""

from __future__ import annotations

import enum
import posixpath
from dataclasses import dataclass
from pathlib import PurePosixPath


class Edit(enum.StrEnum):
    """What happens to a path."""

    ADDED = "added"
    MODIFIED = "modified"
    DELETED = "deleted"


class Entry(enum.StrEnum):
    """What stands at a path after the change, or stood there before it was deleted."""

    FILE = "file"
    LINK = "link"
    SUBMODULE = "submodule"


@dataclass(frozen=True, slots=True)
class Change:
    """One changed path of the repository; `target` is where a link leads, as written."""

    path: str
    edit: Edit
    entry: Entry = Entry.FILE
    target: str = ""

    @property
    def folder(self) -> str:
        return submission_folder(self.path)


@dataclass(frozen=True, slots=True)
class PullRequest:
    """All changes, by path, between two commits. `standing` are the submission folders that the base already has."""

    base: str
    head: str
    changes: tuple[Change, ...]
    standing: frozenset[str] = frozenset()

    def folders(self) -> tuple[str, ...]:
        """The submission folders that the head has and in which something is new or different, by name."""
        return tuple(sorted({change.folder for change in self.changes if change.folder and change.edit is not Edit.DELETED}))


def submission_folder(path: str) -> str:
    """records/<track>/<folder> of a path below such a folder, else ""."""
    parts = path.split("/")
    return "/".join(parts[:3]) if parts[0] == "records" and len(parts) > 3 else ""


def leaves_folder(change: Change) -> bool:
    """Whether a link leads out of the submission folder that it lies in."""
    inside = posixpath.normpath(posixpath.join(posixpath.dirname(change.path), change.target))
    return PurePosixPath(change.target).is_absolute() or submission_folder(f"{inside}/") != change.folder
