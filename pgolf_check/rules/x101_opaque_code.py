"""X101: all code that the run executes could be decoded and read.

Code that the entry script does not name is a note: nothing shows that it runs.
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from pgolf_check.model import Answer, Certainty, Finding, Location, Severity, Witness
from pgolf_check.rules.answers import failed
from pgolf_check.rules.facts import Facts
from pgolf_check.submission.model import Script, Submission

CODE = "X101"


def check(facts: Facts) -> Answer:
    submission = facts.submission
    findings = [_finding(submission, s) for _, s in sorted(submission.scripts.items()) if s.text is None]
    told = {finding.locations[0].path for finding in findings}
    for step in facts.static.problems if facts.static is not None else ():
        if step.location.path not in told:
            findings.append(Finding(CODE, Witness.STATIC, Certainty.PROVEN, step.message, (step.location,)))
    return failed(CODE, findings)


def _finding(submission: Submission, script: Script) -> Finding:
    runs = script.path == submission.entry or _named(submission, script)
    message = f"cannot be read: {script.problem or 'no source'}" + ("" if runs else "; the entry script does not name it")
    ceiling = Severity.BLOCK if runs else Severity.NOTE
    return Finding(CODE, Witness.PAPER, Certainty.PROVEN, message, (Location(script.path),), ceiling=ceiling)


def _named(submission: Submission, script: Script) -> bool:
    """Whether the entry script's source holds the name of this module; an entry that is itself opaque may run anything."""
    entry = submission.scripts.get(submission.entry)
    text = entry.text if entry is not None else None
    return text is None or re.search(rf"\b{re.escape(PurePosixPath(script.path).stem)}\b", text) is not None
