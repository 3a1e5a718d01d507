"""Finds the submission that a path belongs to: the nearest folder with submission.json, README.md or a log, at most two levels up.

A path below records/<track>/<folder> belongs to that folder. Within the folder, other submissions are left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from pgolf_check.errors import UserError
from pgolf_check.model import Location
from pgolf_check.submission.logs import read_log
from pgolf_check.submission.model import File, Problem
from pgolf_check.submission.tree import Tree, join, printable

LEVELS = 2
FILES = 2000
FOLDERS = 20_000
DEPTH = 10
LIMIT = 5 << 20
TOTAL = 128 << 20
FIRST = (".py", ".json", ".md", ".sh", ".log", ".txt")
"""Read before anything else, in case the total is too much."""

SKIPPED = frozenset({"__pycache__", "node_modules", "wandb"})


@dataclass(frozen=True, slots=True)
class Place:
    """Where a submission lies in a tree: its folder, and the part of it that was named."""

    folder: str
    within: str = ""
    script: str = ""
    recursive: bool = True


def locate(tree: Tree, path: str, *, is_file: bool, shown: str) -> Place:
    """The submission of a path in the tree."""
    start = str(PurePosixPath(path).parent) if is_file else path
    start = "" if start == "." else start
    if not is_file:
        start = _descend(tree, start, shown)
    root = _records_folder(start)
    if root is None:
        root = next((folder for folder in _upwards(start) if _is_marked(tree, folder)), None)
    folder = root if root is not None else start
    inside = "" if start == folder else start[len(folder) :].lstrip("/")
    script = path[len(folder) :].lstrip("/") if is_file else ""
    return Place(folder, inside, script, recursive=root is not None or not is_file)


def _upwards(folder: str) -> list[str]:
    """The folder and those above it, as far as they may be searched."""
    parts = PurePosixPath(folder).parts
    return ["/".join(parts[: len(parts) - up]) for up in range(min(LEVELS, len(parts)) + 1)]


def _records_folder(folder: str) -> str | None:
    """records/<track>/<folder> in a path; the innermost, if several."""
    parts = PurePosixPath(folder).parts
    for index in range(len(parts) - 3, -1, -1):
        if parts[index] == "records":
            return "/".join(parts[: index + 3])
    return None


def _is_marked(tree: Tree, folder: str) -> bool:
    """Whether the folder holds submission.json, README.md or a log."""
    names = tree.names(folder)[0]
    if any(name.lower() in ("submission.json", "readme.md") or name.lower().endswith(".log") for name in names):
        return True
    for name in names:
        if name.lower().endswith(".txt"):
            data = tree.read(join(folder, name), LIMIT)
            if data is not None and read_log(name, data) is not None:
                return True
    return False


def _descend(tree: Tree, folder: str, shown: str) -> str:
    """A folder that only holds a submission stands for it; one that holds several is an error."""
    for _ in range(DEPTH):
        files, folders = tree.names(folder)
        if files or len(folders) != 1:
            break
        folder = join(folder, folders[0])
    if not files and not folders:
        raise UserError(f"{shown}: the folder is empty; expected a submission with README.md, submission.json, a script and logs")
    if _is_marked(tree, folder):
        return folder
    inner = [name for name in folders if "submission.json" in tree.names(join(folder, name))[0]]
    if len(inner) > 1:
        raise UserError(
            f"{shown}: the folder holds {len(inner)} submissions; name one of them, such as {printable(join(folder, inner[0]))}"
        )
    return join(folder, inner[0]) if inner and not any(name.endswith(".py") for name in files) else folder


def collect(tree: Tree, place: Place) -> tuple[tuple[File, ...], list[Problem]]:
    """The files of the submission, by path, and what could not be read."""
    problems: list[Problem] = []
    paths = _paths(tree, place, problems)
    full = {path: join(place.folder, path) for path in paths}
    prepare = getattr(tree, "prepare", None)
    if prepare is not None:
        prepare(list(full.values()), LIMIT)
    room = TOTAL
    files: list[File] = []
    for path in sorted(paths, key=lambda p: (not p.lower().endswith(FIRST), p)):
        size = tree.size(full[path])
        data = tree.read(full[path], LIMIT) if size <= min(LIMIT, room) else None
        room -= len(data or b"")
        if data is None and path.lower().endswith(FIRST) and not path.lower().endswith(".py"):
            told = f"has {size:,} bytes; files over {LIMIT:,} bytes are not read" if size > LIMIT else "was not read"
            problems.append(Problem(Location(printable(path)), told))
        files.append(File(printable(path), len(data) if data is not None else size, data))
    inside = f"{place.folder}/" if place.folder else ""
    for problem in tree.problems:
        if problem.location.path.startswith(inside):
            problems.append(Problem(Location(problem.location.path[len(inside) :]), problem.message))
    return tuple(sorted(files, key=lambda f: f.path)), sorted(set(problems), key=lambda p: (p.location, p.message))


def _paths(tree: Tree, place: Place, problems: list[Problem]) -> list[str]:
    """The relative paths of the submission's files, without those of other submissions that lie below it."""
    folders = dict(_walk(tree, place))
    others = [f for f, names in folders.items() if f and "submission.json" in names and not f"{place.within}/".startswith(f"{f}/")]
    if len(others) == 1 and "submission.json" not in folders[""]:
        others = [folder for folder in others if _records_folder(folder)]
    found: list[str] = []
    for folder, names in folders.items():
        if not any(f"{folder}/".startswith(f"{other}/") for other in others):
            found.extend(join(folder, name) for name in names)
    if len(found) > FILES:
        problems.append(Problem(Location(""), f"the folder has more than {FILES:,} files; the rest was not read"))
    return found[:FILES]


def _walk(tree: Tree, place: Place) -> Iterator[tuple[str, list[str]]]:
    """(relative folder, names of its files), nearest first."""
    pending = [("", 0)]
    for seen in range(FOLDERS):
        if seen >= len(pending):
            break
        folder, depth = pending[seen]
        files, folders = tree.names(join(place.folder, folder) if folder else place.folder)
        yield folder, files
        if place.recursive and depth < DEPTH:
            pending.extend((join(folder, name), depth + 1) for name in folders if not name.startswith(".") and name not in SKIPPED)
