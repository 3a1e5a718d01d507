"""Programs that a script starts: nvidia-smi says nothing, lrzip compresses by LZMA where it is missing, and others that are say nothing."""

from __future__ import annotations

import lzma
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

SUFFIX = ".lrz"
WITH_VALUE = frozenset(("-o", "-O", "-L", "-w", "-p", "-S", "-m", "-N"))
"""Options of lrzip that take the next argument."""


def install() -> None:
    """What stands in for `subprocess.run`."""
    run = subprocess.run

    def lenient(command: Any, *args: Any, **kwargs: Any) -> Any:
        words = command.split() if isinstance(command, str) else [str(word) for word in command]
        if any("nvidia-smi" in word for word in words):
            return _done(command, kwargs)
        try:
            return run(command, *args, **kwargs)
        except FileNotFoundError:
            if Path(words[0]).name == "lrzip":
                lrzip(words[1:])
            return _done(command, kwargs)

    subprocess.run = lenient  # type: ignore[assignment]


def _done(command: Any, kwargs: dict[str, Any]) -> subprocess.CompletedProcess[Any]:
    nothing = "" if kwargs.get("text") or kwargs.get("encoding") or kwargs.get("universal_newlines") else b""
    return subprocess.CompletedProcess(command, 0, stdout=nothing, stderr=nothing)


def lrzip(arguments: Sequence[str]) -> None:
    """Compress a file as lrzip is told to, or read back what was compressed here."""
    options: dict[str, str] = {}
    files: list[str] = []
    words = iter(arguments)
    for word in words:
        if word.startswith("-"):
            options[word] = next(words, "") if word in WITH_VALUE else ""
        else:
            files.append(word)
    for name in files:
        back = "-d" in options
        target = options.get("-o") or (name.removesuffix(SUFFIX) if back else name + SUFFIX)
        change = lzma.decompress if back else lzma.compress
        Path(target).write_bytes(change(Path(name).read_bytes()))
