"""The run log: the grammar of the public challenge logs, so that their readers can read ours.

Invariants: the source comes first and ends with a line of 100 '='; only rank 0 writes; a line is on disk when the call returns.
"""

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TextIO

RULE = "=" * 100

Audience = Callable[[str, Mapping[str, float | str]], None]
"""Who follows a run beside its log: is told the kind of what happened, and figures by name."""


class Log:
    """Lines to a file (if any) and to a stream (if any); what they say in figures as JSON lines to a second file."""

    def __init__(
        self,
        path: Path | None = None,
        stream: TextIO | None = sys.stdout,
        kept: tuple[int, int] = (0, 0),
        audience: Audience | None = None,
    ) -> None:
        """`kept` is how many bytes of the log and of its JSON lines an earlier process has left that still hold."""
        self._files = [_opened(file, size) for file, size in zip((path, events_path(path)), kept, strict=True)] if path else []
        self._stream = stream
        self._audience = audience

    def __call__(self, line: str, *, shown: bool = True) -> None:
        """Write one line; `shown=False` keeps it off the stream."""
        if self._files:
            print(line, file=self._files[0], flush=True)
        if shown:
            self.show(line)

    def event(self, kind: str, line: str, **figures: float | str) -> None:
        """Write one line, and the same as figures."""
        self(line)
        self.tell(kind, **figures)
        if self._files:
            print(json.dumps({"event": kind, **figures}), file=self._files[1], flush=True)

    def tell(self, kind: str, **figures: float | str) -> None:
        """Write nothing; tell those who follow."""
        if self._audience:
            self._audience(kind, figures)

    def show(self, line: str) -> None:
        """Show a line that the files do not keep."""
        if self._stream:
            print(line, file=self._stream, flush=True)

    @property
    def size(self) -> tuple[int, int]:
        """Bytes of the log and of its JSON lines so far."""
        return (self._files[0].tell(), self._files[1].tell()) if self._files else (0, 0)

    def close(self) -> None:
        for file in self._files:
            file.close()
        self._files = []


def events_path(log: Path) -> Path:
    """Where the JSON lines of a log lie: beside it."""
    return log.with_name(f"{log.name.removesuffix('.log').removesuffix('.log.partial')}.events.jsonl")


def _opened(path: Path, size: int) -> TextIO:
    file = path.open("r+" if size else "w", encoding="utf-8")
    file.seek(size)
    file.truncate()
    return file


def silent() -> Log:
    """A log that writes nothing: for ranks other than 0."""
    return Log(None, None)


def source_header(log: Log, source: str, versions: str) -> None:
    """The script as it ran, then what it ran on."""
    for line in (source.rstrip("\n"), RULE, versions, RULE):
        log(line, shown=False)


def train_line(step: int, steps: int, loss: float, seconds: float) -> str:
    return f"step:{step}/{steps} train_loss:{loss:.4f} {_timing(step, seconds)}"


def validation_line(step: int, steps: int, loss: float, bpb: float, seconds: float) -> str:
    return f"step:{step}/{steps} val_loss:{loss:.4f} val_bpb:{bpb:.4f} {_timing(step, seconds)}"


def stop_line(step: int, steps: int, seconds: float) -> str:
    return f"stopping_early: wallclock_cap train_time:{1000 * seconds:.0f}ms step:{step}/{steps}"


def size_lines(label: str, artifact_bytes: int, code_bytes: int) -> tuple[str, str, str]:
    """`label` names bits and codec, such as int8+brotli."""
    return (
        f"Serialized model {label}: {artifact_bytes} bytes",
        f"Code size: {code_bytes} bytes",
        f"Total submission size {label}: {artifact_bytes + code_bytes} bytes",
    )


def final_lines(name: str, loss: float, bpb: float, seconds: float) -> tuple[str, str]:
    """`name` is what was scored, such as int8_brotli_roundtrip; the exact line is the claim."""
    return (
        f"final_{name} val_loss:{loss:.4f} val_bpb:{bpb:.4f} eval_time:{1000 * seconds:.0f}ms",
        f"final_{name}_exact val_loss:{loss:.8f} val_bpb:{bpb:.8f}",
    )


def _timing(step: int, seconds: float) -> str:
    return f"train_time:{1000 * seconds:.0f}ms step_avg:{1000 * seconds / max(step, 1):.2f}ms"
