"""Where documents come from: text files, JSON Lines, folders of both, or the standard library of the running interpreter.

Invariants: the order of documents depends on their paths alone; a file is a document, except that a .jsonl file holds one per
line under "text"; documents are read one at a time.
"""

import hashlib
import json
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pgolf_ref.errors import UserError

STDLIB = "stdlib"
NOT_SOURCES = frozenset({"site-packages", "dist-packages", "__pycache__", "test", "tests", "idle_test"})


@dataclass(frozen=True, slots=True)
class Corpus:
    """Files in reading order. `max_bytes` ends the reading before the first document that would exceed it; 0 = no limit."""

    name: str
    files: tuple[Path, ...]
    max_bytes: int = 0

    def documents(self) -> Iterator[str]:
        """The documents that are not empty."""
        read = 0
        for path in self.files:
            for text in _documents(path):
                read += len(text.encode("utf-8"))
                if self.max_bytes and read > self.max_bytes:
                    return
                if text.strip():
                    yield text

    def fingerprint(self) -> str:
        """Changes when a file changes."""
        digest = hashlib.sha256(f"{self.name} {self.max_bytes}".encode())
        for path in self.files:
            stat = path.stat()
            digest.update(f"{path}\n{stat.st_size} {stat.st_mtime_ns}\n".encode("utf-8", "surrogateescape"))
        return digest.hexdigest()


def open_corpus(source: str, max_bytes: int = 0) -> Corpus:
    """`source` is "stdlib", a file or a folder."""
    if source == STDLIB:
        return Corpus(STDLIB, _standard_library(), max_bytes)
    path = Path(source)
    if path.is_file():
        return Corpus(path.stem, (path,), max_bytes)
    if not path.is_dir():
        raise UserError(f"no corpus {source!r}: give a text file, a .jsonl file, a folder, or the name {STDLIB!r}")
    files = tuple(sorted(file for file in path.rglob("*") if file.is_file() and not _hidden(file.relative_to(path))))
    readable = tuple(file for file in files if _is_text(file))
    if not readable:
        raise UserError(f"no UTF-8 text in {source}: it holds {len(files)} files, none of which can be read as text")
    return Corpus(path.resolve().name, readable, max_bytes)


def _standard_library() -> tuple[Path, ...]:
    """Sources in the order of the hashes of their names, so that neighbours in the order are no neighbours in content."""
    root = Path(sysconfig.get_path("stdlib"))
    names = [file.relative_to(root) for file in root.rglob("*.py")]
    chosen = [name for name in names if not NOT_SOURCES.intersection(name.parts) and _is_text(root / name)]
    if not chosen:
        raise UserError(f"this Python has no sources of its standard library in {root}; give --corpus a file or folder")
    return tuple(root / name for name in sorted(chosen, key=lambda name: hashlib.sha256(name.as_posix().encode()).digest()))


def _documents(path: Path) -> Iterator[str]:
    if path.suffix == ".jsonl":
        yield from _lines(path)
        return
    try:
        yield path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8 text: {error}") from error


def _lines(path: Path) -> Iterator[str]:
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                text = json.loads(line)["text"]
            except (ValueError, KeyError, TypeError):
                text = None
            if not isinstance(text, str):
                raise UserError(f'{path} line {number}: expected a JSON object with a string "text"')
            yield text


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def _is_text(path: Path) -> bool:
    """Whether the beginning of a file decodes; a character cut in two at the end is no fault."""
    with path.open("rb") as file:
        beginning = file.read(65_536)
    try:
        beginning.decode("utf-8")
    except UnicodeDecodeError as error:
        return error.end == len(beginning) and error.reason == "unexpected end of data"
    return b"\0" not in beginning
