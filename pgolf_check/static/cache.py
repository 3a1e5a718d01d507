"""Lowered sources and analyses kept on disk, by content: $PGOLF_CACHE_DIR, or `pgolf` in the user's cache directory.

An entry is named by the hash of what it was made from and of the engine's own source files, is written atomically, and starts with the
digest of its content: what is damaged is a miss. Entries hold data only (`encoding`). Where nothing can be kept, everything is made anew.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import zlib
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

from pgolf_check.static import ir
from pgolf_check.static.encoding import FINDINGS, SOURCES, Codec
from pgolf_check.static.facts import StaticFacts
from pgolf_check.static.lower import lower
from pgolf_check.static.native import NATIVE
from pgolf_check.submission.model import Submission

MAX_BYTES = 512 << 20
_MAX_ENTRY = 256 << 20
_LOOKS_AFTER = "0"
"""Entries of such names, one in sixteen, have the folder looked through for what is too much: that takes longer the more it holds."""
_DIGEST = 32
_LOWERED = "lowered"
_SUFFIXES = (".ir", ".facts", ".tmp")
_DAMAGE = (ValueError, TypeError, LookupError, AttributeError, RecursionError, zlib.error)
_LOWERING = ("cache", "encoding", "ir", "limits", "literals", "positions", "repair", "scopes")


def lower_cached(text: str) -> ir.Module:
    """As `lower`, from the cache if it was lowered before."""
    found: ir.Module = _kept(_LOWERED, _lowered_name(text), SOURCES, lambda: lower(text))
    return found


def lower_once(text: str) -> ir.Module:
    """The same for a look at a source that no analysis needs: what is made anew is not kept, since writing it takes as long as a third of it."""
    known = _known(_entry(_LOWERED, _lowered_name(text)), SOURCES)
    return lower(text) if known is None else known


def _lowered_name(text: str) -> str:
    return f"{_digest(text.encode('utf-8', 'surrogatepass'), lowering_version())}.ir"


def analysis_cached(submission: Submission, analyse: Callable[[Submission], StaticFacts]) -> StaticFacts:
    """As `analyse`, from the cache if the same sources, commands and logged runs were analysed before."""
    asked = (
        submission.entry,
        sorted(submission.scripts.items()),
        submission.metadata.val_bpb if submission.metadata is not None else None,
        [(log.runs, log.embedded_source) for log in submission.logs],
        submission.commands,
        sorted((file.path, file.data) for file in submission.files if file.path.endswith(NATIVE)),
    )
    name = f"{_digest(repr(asked).encode('utf-8', 'surrogatepass'), engine_version())}.facts"
    found: StaticFacts = _kept("analysed", name, FINDINGS, lambda: analyse(submission))
    return found


def _kept(folder_name: str, entry_name: str, codec: Codec, make: Callable[[], Any]) -> Any:
    entry = _entry(folder_name, entry_name)
    found = _known(entry, codec)
    if found is None:
        found = make()
        if entry is not None:
            _write(entry, codec.encode(found))
    return found


def _entry(folder_name: str, entry_name: str) -> Path | None:
    folder = _folder(folder_name)
    return None if folder is None else folder / entry_name


def _known(entry: Path | None, codec: Codec) -> Any:
    return None if entry is None else _read(entry, codec)


def _folder(name: str) -> Path | None:
    if own := os.environ.get("PGOLF_CACHE_DIR"):
        return Path(own, name)
    base = os.environ.get("XDG_CACHE_HOME", "")
    try:
        return Path(base if os.path.isabs(base) else Path.home() / ".cache", "pgolf", name)
    except RuntimeError:
        return None


@lru_cache(maxsize=1)
def lowering_version() -> str:
    """Digest of the modules that decide what a lowered source holds."""
    here = Path(__file__).parent
    return _version([*here.glob("lower*.py"), *(here / f"{name}.py" for name in _LOWERING)])


@lru_cache(maxsize=1)
def engine_version() -> str:
    """Digest of the modules that decide what an analysis holds."""
    here = Path(__file__).parent
    outside = (here.parent / name for name in ("model.py", "submission/entry.py", "submission/log_binding.py"))
    return _version([*here.rglob("*.py"), *outside])


def _version(paths: list[Path]) -> str:
    digest = hashlib.sha256()
    for path in sorted(paths):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def _digest(content: bytes, version: str) -> str:
    return hashlib.sha256(version.encode() + content).hexdigest()


def _read(entry: Path, codec: Codec) -> Any:
    try:
        data = entry.read_bytes()
    except OSError:
        return None
    digest, packed = data[:_DIGEST], data[_DIGEST:]
    if hashlib.sha256(packed).digest() != digest:
        return None
    try:
        stream = zlib.decompressobj()
        plain = stream.decompress(packed, _MAX_ENTRY)
        return codec.decode(plain) if stream.eof else None
    except _DAMAGE:
        return None


def _write(entry: Path, content: bytes) -> None:
    packed = zlib.compress(content, 1)
    temporary = None
    try:
        entry.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(suffix=".tmp", dir=entry.parent)
        with open(handle, "wb") as file:
            file.write(hashlib.sha256(packed).digest() + packed)
        os.replace(temporary, entry)
        if entry.name.startswith(_LOOKS_AFTER):
            _evict(entry.parent)
    except OSError:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)


def _evict(folder: Path) -> None:
    """Remove the oldest entries (and remains of interrupted writes) until the rest fits."""
    entries = []
    with os.scandir(folder) as found:
        for item in found:
            if item.name.endswith(_SUFFIXES) and item.is_file(follow_symlinks=False):
                status = item.stat(follow_symlinks=False)
                entries.append((status.st_mtime_ns, status.st_size, item.path))
    total = sum(size for _, size, _ in entries)
    for _, size, path in sorted(entries):
        if total <= MAX_BYTES:
            break
        Path(path).unlink(missing_ok=True)
        total -= size
