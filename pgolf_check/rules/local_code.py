"""Which files of the folder the entry script brings in when it runs: modules that it imports, and files whose name it holds as a text.

Read from the source alone, through local modules; an import that the run may skip counts as well.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from pgolf_check.model import Location
from pgolf_check.rules.source import reading
from pgolf_check.rules.words import forms, words
from pgolf_check.static import ir
from pgolf_check.submission.model import File, Script, Submission
from pgolf_check.submission.syntax import place, syntax

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
        for name, at in _named(submission, path):
            file = submission.file(name)
            if file is not None and name != submission.entry and name not in found:
                found[name] = LocalFile(file, at)
                if name.endswith(".py"):
                    pending.append(name)
    return [found[name] for name in sorted(found)]


def _named(submission: Submission, path: str) -> Iterator[tuple[str, Location]]:
    """(path of a file, place) of each that a script brings in."""
    script = submission.scripts.get(path)
    if script is None or script.text is None or not _may_name(submission, script):
        return
    by_name = _by_name(submission)
    told = _of_tree(script.text, by_name) or _of_reading(script.text, by_name) or _Told((), ())
    folders = {PurePosixPath(path).parent, PurePosixPath(submission.entry).parent, PurePosixPath(".")}
    names = {f.path for f in submission.files}
    for dotted, at in told.imports:
        for folder in folders:
            for candidate in (folder / f"{dotted}.py", folder / dotted / "__init__.py"):
                if str(candidate) in names:
                    yield str(candidate), Location(path, *at)
    for name, at in told.files:
        yield by_name[name], Location(path, *at)


@dataclass(frozen=True, slots=True)
class _Told:
    """What a source imports, as paths without a suffix, and the files that its texts name, each with its line and column."""

    imports: tuple[tuple[str, tuple[int, int]], ...]
    files: tuple[tuple[str, tuple[int, int]], ...]


def _of_tree(source: str, wanted: Container[str]) -> _Told | None:
    """As Python's own parser reads it; None where its grammar is too old."""
    tree = syntax(source)
    if tree is None:
        return None
    imports: list[tuple[str, tuple[int, int]]] = []
    files: list[tuple[str, tuple[int, int]]] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imports.extend((item.name.replace(".", "/"), place(source, node)) for item in node.names)
        elif isinstance(node, ast.ImportFrom):
            imports.extend((name, place(source, node)) for name in _from(node.module or "", [item.name for item in node.names]))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and (name := _tail(node.value)) in wanted:
            files.append((name, place(source, node)))
    return _Told(tuple(imports), tuple(files))


def _of_reading(source: str, wanted: Container[str]) -> _Told | None:
    """As the checker's parser reads it, which is slower; None where it cannot be parsed."""
    read = reading(source)
    if read is None:
        return None
    imports = ((name, ir.place(node.at)) for node in read.imports for name in _imported(node))
    files = ((_tail(text.value), ir.place(text.at)) for text in read.texts if _tail(text.value) in wanted)
    return _Told(tuple(imports), tuple(files))


def _tail(text: str) -> str:
    return text.rpartition("/")[2]


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
    """The modules of an import, as paths."""
    if isinstance(node, ir.Import):
        yield from (name.replace(".", "/") for name, _, _ in node.items)
    else:
        yield from _from(node.module, [name for name, _ in node.items])


def _from(module: str, names: Sequence[str]) -> Iterator[str]:
    """The modules that `from module import names` may mean, as paths."""
    base = module.replace(".", "/")
    if base:
        yield base
    yield from (f"{base}/{name}".lstrip("/") for name in names)
