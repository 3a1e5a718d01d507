"""The files that `gate` writes beside its output, each in one format; the job summary is appended to, the others are replaced."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pgolf_check.errors import UserError
from pgolf_check.report.outcome import Outcome


@dataclass(frozen=True, slots=True)
class Files:
    """Where to write; None for what is not wanted."""

    sarif: Path | None = None
    html: Path | None = None
    comment: Path | None = None
    summary: Path | None = None

    def write(self, outcome: Outcome) -> None:
        """Write what is wanted. Raises UserError that names a file that cannot be written."""
        from pgolf_check.report.html import as_html
        from pgolf_check.report.markdown import COMMENT, as_markdown
        from pgolf_check.report.sarif import as_sarif

        _write(self.sarif, as_sarif, outcome)
        _write(self.html, as_html, outcome)
        _write(self.comment, lambda found: as_markdown(found, COMMENT), outcome)
        _write(self.summary, as_markdown, outcome, mode="a")


def _write(path: Path | None, render: Callable[[Outcome], str], outcome: Outcome, mode: str = "w") -> None:
    if path is None:
        return
    try:
        with path.open(mode, encoding="utf-8", newline="\n") as stream:
            stream.write(render(outcome))
    except OSError as error:
        raise UserError(f"{path}: cannot be written: {error.strerror or error}") from error
