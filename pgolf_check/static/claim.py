"""Which REPORT of a run is the claimed score."""

from __future__ import annotations

import re
import statistics
from collections.abc import Sequence

from pgolf_check.model import Event
from pgolf_check.submission.model import FinalLine, Submission

TOLERANCE = 1e-5


def claimed_lines(submission: Submission) -> list[FinalLine]:
    """The final lines of the logs that state the claimed score: a run's own value, or one whose label's mean is the claim."""
    finals = [f for log in submission.logs for run in log.runs for f in run.finals]
    claim = submission.metadata.val_bpb if submission.metadata is not None else None
    if claim is None:
        usable = [f for f in finals if not f.diagnostic]
        return [min(usable, key=lambda f: f.val_bpb)] if usable else []
    equal = [f for f in finals if abs(f.val_bpb - claim) <= _tolerance(f)]
    if equal:
        return equal
    by_label: dict[str, list[FinalLine]] = {}
    for final in finals:
        by_label.setdefault(final.label, []).append(final)
    for lines in by_label.values():
        if len(lines) > 1 and abs(statistics.fmean(f.val_bpb for f in lines) - claim) <= max(_tolerance(f) for f in lines):
            return lines
    return []


def _tolerance(final: FinalLine) -> float:
    return max(TOLERANCE, 0.6 * 10.0**-final.digits) if final.digits else TOLERANCE


def find_claim(reports: Sequence[Event], lines: Sequence[FinalLine], *, logs: bool) -> tuple[Event | None, bool]:
    """(the REPORT of the claim, whether it was matched with a log line). Without any log, the last REPORT is the claim."""
    for line in lines:
        matching = [r for r in reports if matches(r.text, line.text)]
        if matching:
            return max(matching, key=lambda r: (len(literal(r.text)), r.order)), True
    if not reports:
        return None, False
    return reports[-1], not logs


def matches(template: str, line: str) -> bool:
    """Whether a printed text with holes can be the log line; it must have some letters of its own."""
    if len(re.sub(r"[^A-Za-z]", "", literal(template))) < 3:
        return False
    pattern = ".*?".join(re.escape(part) for part in template.strip().split("{}"))
    return re.search(pattern, line) is not None


def literal(template: str) -> str:
    return template.replace("{}", "")
