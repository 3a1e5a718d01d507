"""P102: submission.json can be read and states the claimed score as a number."""

from __future__ import annotations

from pgolf_check.model import Answer, Certainty, Finding, Location, Severity, Witness
from pgolf_check.rules.answers import failed, not_applicable
from pgolf_check.rules.facts import Facts

CODE = "P102"
DESCRIPTIVE = (("name",), ("author", "github_id"))
"""Keys that a reader needs, any of each group; their absence is a note."""


def check(facts: Facts) -> Answer:
    metadata = facts.submission.metadata
    if metadata is None:
        return not_applicable(CODE, "there is no submission.json, see P101")
    findings = [
        _finding(p.location, p.message, Severity.BLOCK if metadata.val_bpb is None else Severity.NOTE) for p in metadata.problems
    ]
    place = Location(metadata.path)
    if metadata.val_bpb is None and not findings:
        findings.append(_finding(place, "no claimed score: expected val_bpb as a number, such as 1.0812", Severity.BLOCK))
    if metadata.data:
        for keys in DESCRIPTIVE:
            if not any(metadata.data.get(key) for key in keys):
                findings.append(_finding(place, f"lacks {' or '.join(keys)}", Severity.NOTE))
    return failed(CODE, findings)


def _finding(place: Location, message: str, ceiling: Severity) -> Finding:
    return Finding(CODE, Witness.PAPER, Certainty.PROVEN, message, (place,), ceiling=ceiling)
