"""Which files of the folder the entry script brings in when it runs: modules that it imports, and files whose name it holds as a text.

Read from the source alone, through local modules; an import that the run may skip counts as well.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from pgolf_check.model import Location
from pgolf_check.rules.source import reading
from pgolf_check.rules.words import forms, words
from pgolf_check.static import ir
from pgolf_check.submission.model import File, Script, Submission

NATIVE = frozenset({".c", ".cc", ".cpp", ".cu", ".cuh", ".h", ".rs", ".so", ".pyx"})
NOT_COUNTED = frozenset({".model", ".vocab", ".ptz", ".log", ".md", ".sh", ".toml", ".csv", ".txt", ".jsonl"})
"""Tokenizers and what no run needs; `.ptz` is the artifact itself."""
WRAPPED = re.compile(r"\bimport\s*\(|\b(?:from|import)\b.*\\\n")
"""An import that may go on in the next line."""


@dataclass(frozen=True, slots=True)
class LocalFile:
    """A file of the folder and where the run brings it in."""

    file: File
    place: Location

    @property
    def is_code(self) -> bool:
        return PurePosixPath(self.file.path).suffix in NATIVE | {".py"}


def local_files(submission: Submission) -> list[LocalFile]:
    """The files beside the entry script that it imports or opens, by path."""
    found: dict[str, LocalFile] = {}
    pending = [submission.entry]
    while pending:
        path = pending.pop()
        for name, place in _named(submission, path):
            file = submission.file(name)
            if file is not None and name != submission.entry and name not in found:
                found[name] = LocalFile(file, place)
                if name.endswith(".py"):
                    pending.append(name)
    return [found[name] for name in sorted(found)]


def _named(submission: Submission, path: str) -> Iterator[tuple[str, Location]]:
    """(path of a file, place) of each that a script brings in."""
    script = submission.scripts.get(path)
    read = reading(script.text) if script is not None and script.text is not None and _may_name(submission, script) else None
    if read is None:
        return
    folders = {PurePosixPath(path).parent, PurePosixPath(submission.entry).parent, PurePosixPath(".")}
    names = {f.path for f in submission.files}
    for statement in read.imports:
        for dotted in _imported(statement):
            for folder in folders:
                for candidate in (folder / f"{dotted}.py", folder / dotted / "__init__.py"):
                    if str(candidate) in names:
                        yield str(candidate), Location(path, *ir.place(statement.at))
    by_name = _by_name(submission)
    for text in read.texts:
        name = text.value.rpartition("/")[2]
        if name in by_name:
            yield by_name[name], Location(path, *ir.place(text.at))


def _by_name(submission: Submission) -> dict[str, str]:
    """The paths of the files that a text may name, by their names."""
    paths = (f.path for f in submission.files if PurePosixPath(f.path).suffix not in NOT_COUNTED)
    found = {PurePosixPath(path).name: path for path in paths}
    found.pop("submission.json", None)
    return found


def _may_name(submission: Submission, script: Script) -> bool:
    """Whether the source holds the name of another file, or imports a module or package of that name."""
    others = [PurePosixPath(f.path) for f in submission.files if f.path not in (script.path, submission.entry)]
    modules = {(p.parent.name if p.name == "__init__.py" else p.stem) for p in others if p.suffix == ".py"}
    text = script.text or ""
    if any(p.name in form for p in others if p.suffix not in NOT_COUNTED for form in forms(text)):
        return True
    named = "|".join(sorted(re.escape(module) for module in modules & words(text)))
    return bool(named) and (WRAPPED.search(text) or re.search(rf"\b(?:from|import)\b.*\b(?:{named})\b", text)) is not None


def _imported(node: ir.Import | ir.ImportFrom) -> Iterator[str]:
    """The dotted modules of an import, as paths; `from a import b` may mean a/b."""
    if isinstance(node, ir.Import):
        yield from (name.replace(".", "/") for name, _, _ in node.items)
    else:
        base = node.module.replace(".", "/")
        if base:
            yield base
        yield from (f"{base}/{name}".lstrip("/") for name, _ in node.items)
