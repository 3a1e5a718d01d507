"""One line of a corpus run for people: verdict, rules, seconds, path."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pgolf_check.report.escape import printable


def row(answer: Mapping[str, Any]) -> str:
    """The line of one answer; rules that only give notes are left out."""
    rules = sorted({f["rule"] for f in answer["findings"] if f["severity"] != "note"})
    return f"{answer['verdict']:<11} {answer['seconds']:7.2f} s  {printable(answer['path'])}" + (
        f"  {', '.join(rules)}" if rules else ""
    )
