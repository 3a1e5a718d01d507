"""Lowered sources kept on disk, by content: $PGOLF_CACHE_DIR, or `pgolf` in the user's cache directory.

An entry is named by the hash of the text and of the lowering's own source files, is written atomically, and starts with the digest of its
content: what is damaged is a miss. Entries hold data only (`encoding`). Where nothing can be kept, every source is lowered anew.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import zlib
from functools import lru_cache
from pathlib import Path

from pgolf_check.static import ir
from pgolf_check.static.encoding import decode, encode
from pgolf_check.static.lower import lower

MAX_BYTES = 512 << 20
_MAX_ENTRY = 256 << 20
_DIGEST = 32
_SUFFIX = ".ir"
_DAMAGE = (ValueError, TypeError, LookupError, AttributeError, RecursionError, zlib.error)


def lower_cached(text: str) -> ir.Module:
    """As `lower`, from the cache if it was lowered before."""
    folder = _folder()
    entry = None if folder is None else folder / f"{_key(text)}{_SUFFIX}"
    found = None if entry is None else _read(entry)
    if found is not None:
        return found
    module = lower(text)
    if entry is not None:
        _write(entry, module)
    return module


def _folder() -> Path | None:
    if own := os.environ.get("PGOLF_CACHE_DIR"):
        return Path(own, "lowered")
    base = os.environ.get("XDG_CACHE_HOME", "")
    try:
        return Path(base if os.path.isabs(base) else Path.home() / ".cache", "pgolf", "lowered")
    except RuntimeError:
        return None


@lru_cache(maxsize=1)
def engine_version() -> str:
    """Digest of the modules that decide what an entry holds."""
    here = Path(__file__).parent
    digest = hashlib.sha256()
    for path in sorted([*here.glob("lower*.py"), *(here / f"{name}.py" for name in _MODULES)]):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


_MODULES = ("cache", "encoding", "ir", "limits", "literals", "positions", "repair", "scopes")


def _key(text: str) -> str:
    return hashlib.sha256(engine_version().encode() + text.encode("utf-8", "surrogatepass")).hexdigest()


def _read(entry: Path) -> ir.Module | None:
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
        return decode(plain) if stream.eof else None
    except _DAMAGE:
        return None


def _write(entry: Path, module: ir.Module) -> None:
    packed = zlib.compress(encode(module), 1)
    temporary = None
    try:
        entry.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(suffix=".tmp", dir=entry.parent)
        with open(handle, "wb") as file:
            file.write(hashlib.sha256(packed).digest() + packed)
        os.replace(temporary, entry)
        _evict(entry.parent)
    except OSError:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)


def _evict(folder: Path) -> None:
    """Remove the oldest entries (and remains of interrupted writes) until the rest fits."""
    entries = []
    with os.scandir(folder) as found:
        for item in found:
            if item.name.endswith((_SUFFIX, ".tmp")) and item.is_file(follow_symlinks=False):
                status = item.stat(follow_symlinks=False)
                entries.append((status.st_mtime_ns, status.st_size, item.path))
    total = sum(size for _, size, _ in entries)
    for _, size, path in sorted(entries):
        if total <= MAX_BYTES:
            break
        Path(path).unlink(missing_ok=True)
        total -= size
