"""The run log: the grammar of the public challenge logs, so that their readers can read ours.

Invariants: the source comes first and ends with a line of 100 '='; only rank 0 writes; a line is on disk when the call returns.
"""

import sys
from pathlib import Path
from typing import TextIO

RULE = "=" * 100


class Log:
    """Lines to a file (if any) and to a stream (if any)."""

    def __init__(self, path: Path | None = None, stream: TextIO | None = sys.stdout) -> None:
        self._file = path.open("w", encoding="utf-8") if path else None
        self._stream = stream

    def __call__(self, line: str, *, shown: bool = True) -> None:
        """Write one line; `shown=False` keeps it off the stream."""
        if self._file:
            print(line, file=self._file, flush=True)
        if self._stream and shown:
            print(line, file=self._stream, flush=True)

    def close(self) -> None:
        if self._file:
            self._file.close()
            self._file = None


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


def phase_line(name: str, seconds: float, budget: float) -> str:
    limit = f"{budget:.1f}s" if budget > 0 else "none"
    return f"phase:{name} seconds:{seconds:.3f} budget:{limit}"


def _timing(step: int, seconds: float) -> str:
    return f"train_time:{1000 * seconds:.0f}ms step_avg:{1000 * seconds / max(step, 1):.2f}ms"
