"""Reads a submission from a folder, a file in it, an archive or a git revision. Nothing in it is executed.

The result does not depend on the order in which a file system lists its files. What cannot be used at all is a `UserError`; what is
wrong inside a submission is told in its parts (`Problem`, `Script.problem`).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from pgolf_check.errors import UserError
from pgolf_check.model import Location
from pgolf_check.submission.archive import is_archive, open_archive
from pgolf_check.submission.commands import in_readme, in_script
from pgolf_check.submission.entry import by_name, choose_entry, for_named
from pgolf_check.submission.locate import LIMIT, Place, collect, locate
from pgolf_check.submission.logs import read_log
from pgolf_check.submission.metadata import read_metadata
from pgolf_check.submission.model import Command, File, Log, Metadata, Problem, Script, Submission
from pgolf_check.submission.text import decode
from pgolf_check.submission.tree import FolderTree, Tree
from pgolf_check.submission.unwrap import unwrap


def load(path: str, *, repo: str | None = None) -> Submission:
    """The submission at a path; with `repo`, at REF:PATH of that git repository."""
    if repo is not None:
        return _from_git(path, repo)
    place = Path(path)
    try:
        exists, is_file = place.exists(), place.is_file()
    except (OSError, ValueError) as error:
        raise UserError(f"{path!r}: not a usable path: {error}") from None
    if not exists:
        raise UserError(
            f"{path}: there is no such file or folder; expected a submission folder, a script, an archive or REF:PATH with --repo"
        )
    if is_file and is_archive(path):
        return _from_archive(place)
    if not is_file and not place.is_dir():
        raise UserError(f"{path}: neither a file nor a folder; expected a submission folder, a script or an archive")
    return _from_folder(place, is_file=is_file)


def _from_folder(path: Path, *, is_file: bool) -> Submission:
    real = path.parent.resolve() / path.name if is_file else path.resolve()
    found = locate(FolderTree(Path(real.anchor)), real.relative_to(real.anchor).as_posix(), is_file=is_file, shown=str(path))
    root = Path(real.anchor) / found.folder
    tree = FolderTree(root)
    submission = _assemble(tree, Place("", found.within, found.script, found.recursive), _shown(root), str(path))
    return replace(submission, folder=submission.path)


def _shown(root: Path) -> str:
    """The path that a report names: from `records` on, else from here."""
    parts = root.parts
    if len(parts) > 3 and parts[-3] == "records":
        return "/".join(parts[-3:])
    try:
        relative = os.path.relpath(root)
    except ValueError:
        return root.as_posix()
    return root.as_posix() if relative.startswith("..") else Path(relative).as_posix()


def _from_archive(path: Path) -> Submission:
    tree = open_archive(path)
    found = locate(tree, "", is_file=False, shown=str(path))
    return _assemble(tree, found, f"{path.as_posix()}:{found.folder}" if found.folder else path.as_posix(), str(path))


def _from_git(path: str, repo: str) -> Submission:
    from pgolf_check.submission.gitref import GitTree

    revision, colon, inner = path.partition(":")
    if not colon or not revision:
        raise UserError(f"{path}: expected REF:PATH with --repo, such as main:records/track_10min_16mb/folder")
    tree = GitTree(repo, revision)
    inner = "/".join(part for part in PurePosixPath(inner).parts if part not in ("/", "."))
    folder, name = inner.rpartition("/")[::2]
    is_file = name in tree.names(folder)[0]
    if not is_file and inner and not any(tree.names(inner)):
        raise UserError(f"{path}: {revision} has no file or folder {inner!r}")
    found = locate(tree, inner, is_file=is_file, shown=path)
    return _assemble(tree, found, f"{revision}:{found.folder}", path)


def _assemble(tree: Tree, place: Place, shown: str, asked: str) -> Submission:
    """The parts of a submission from its files."""
    files, problems = collect(tree, place)
    if not files:
        raise UserError(f"{asked}: the folder has no file that can be read; expected a script, README.md, submission.json and logs")
    scripts = _scripts(files)
    logs = tuple(log for f in files if f.data is not None and (log := read_log(f.path, f.data)) is not None)
    readme = _readme(files)
    commands = _commands(files, logs, readme)
    entry = _entry(place, scripts, commands)
    metadata = _metadata(files)
    text = decode(readme.data)[0] if readme is not None and readme.data is not None else ""
    return Submission(shown, files, scripts, entry, metadata, logs, commands, text, tuple(problems), place.folder)


def _scripts(files: Sequence[File]) -> dict[str, Script]:
    """Every Python file, decoded where it wraps its source."""
    by_path = {f.path: f.data for f in files}
    found: dict[str, Script] = {}
    for file in files:
        if not file.path.lower().endswith(".py"):
            continue
        if file.data is None:
            told = (
                f"it has {file.size:,} bytes; scripts over {LIMIT:,} bytes are not read"
                if file.size > LIMIT
                else "the file could not be read"
            )
            found[file.path] = Script(file.path, file.size, None, told)
        else:
            found[file.path] = unwrap(file.path, file.data, by_path.get)
    return found


def _nearest(files: Sequence[File], name: str) -> File | None:
    """The file of this name, in any case, that lies highest."""
    fitting = [f for f in files if PurePosixPath(f.path).name.lower() == name]
    return min(fitting, key=lambda f: (f.path.count("/"), f.path), default=None)


def _readme(files: Sequence[File]) -> File | None:
    return _nearest(files, "readme.md") or _nearest(files, "readme") or _nearest(files, "readme.txt")


def _metadata(files: Sequence[File]) -> Metadata | None:
    file = _nearest(files, "submission.json")
    if file is None:
        return None
    if file.data is None:
        told = f"has {file.size:,} bytes; expected a small JSON object" if file.size > LIMIT else "cannot be read"
        return Metadata(file.path, {}, (Problem(Location(file.path), told),))
    return read_metadata(file.path, file.data)


def _commands(files: Sequence[File], logs: Sequence[Log], readme: File | None) -> tuple[Command, ...]:
    """The launch commands of the logs, then of the run scripts, then of the README."""
    found = [replace(c, location=Location(log.path)) for log in logs for c in in_script(log.path, log.command)[:1]]
    for file in files:
        if file.path.lower().endswith((".sh", ".bash")) and file.data is not None:
            found.extend(in_script(file.path, decode(file.data)[0]))
    if readme is not None and readme.data is not None:
        found.extend(in_readme(readme.path, decode(readme.data)[0]))
    return tuple(found)


def _entry(place: Place, scripts: dict[str, Script], commands: Sequence[Command]) -> str:
    """The script that was named (or that runs it, if it is a helper), one that a named run script starts, or the one that is chosen."""
    if place.script in scripts:
        return for_named(scripts, place.script, commands)
    started = [c for c in commands if c.location.path == place.script]
    named = next((path for c in started if (path := by_name(scripts, c.script))), "")
    return named or choose_entry(scripts, commands, place.within)
