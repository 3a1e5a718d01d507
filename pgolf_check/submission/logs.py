"""Recognises logs by their content and reads them: encoding, embedded source, launch command and runs."""

from __future__ import annotations

from pathlib import PurePosixPath

from pgolf_check.submission.commands import in_log
from pgolf_check.submission.log_runs import RunReader
from pgolf_check.submission.log_source import split_source
from pgolf_check.submission.model import Log
from pgolf_check.submission.text import decode

SUFFIXES = frozenset({".log", ".txt", ".out", ".err", ".stdout", ""})
NOT_LOGS = frozenset({"license", "requirements.txt", "dockerfile", "makefile", "readme", "readme.txt"})
COMMAND_LINES = 400


def may_be_log(path: str) -> bool:
    """Whether a file of this name can be a log; its content decides."""
    name = PurePosixPath(path)
    return name.suffix.lower() in SUFFIXES and name.name.lower() not in NOT_LOGS and not name.name.startswith(".")


def read_log(path: str, data: bytes) -> Log | None:
    """The log in a file, or None if the file is none. A file named .log is one even if it shows no run."""
    if not may_be_log(path) or b"\0\0\0\0" in data[:4096]:
        return None
    text, encoding = decode(data)
    lines = list(enumerate(text.split("\n"), 1))
    kept, sources, cuts = split_source(lines)
    runs = RunReader(path, cuts).read(kept)
    if not runs and PurePosixPath(path).suffix.lower() != ".log":
        return None
    command = in_log(path, kept[:COMMAND_LINES])
    return Log(
        path,
        "\n".join(line for _, line in kept),
        sources[-1] if sources else None,
        encoding,
        runs,
        command.text if command is not None else "",
    )
