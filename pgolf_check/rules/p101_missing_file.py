"""P101: a submission holds README.md, submission.json, a training script and the log of a training or evaluation run."""

from __future__ import annotations

from pathlib import PurePosixPath

from pgolf_check.model import Answer, Certainty, Finding, Location, Witness
from pgolf_check.rules.answers import failed
from pgolf_check.rules.facts import Facts
from pgolf_check.submission.model import Submission

CODE = "P101"


def check(facts: Facts) -> Answer:
    findings = [
        Finding(CODE, Witness.PAPER, Certainty.PROVEN, f"{what} is missing: {expected}", (Location(place),))
        for what, expected, place in _missing(facts.submission)
    ]
    return failed(CODE, findings)


def _missing(submission: Submission) -> list[tuple[str, str, str]]:
    """(what, what was expected, where) of each file that is not there."""
    missing = []
    names = [PurePosixPath(f.path) for f in submission.files if f.size]
    if not any(name.name.lower() == "readme.md" for name in names):
        missing.append(("README.md", "a file of that name that describes the submission", "README.md"))
    if submission.metadata is None:
        missing.append(("submission.json", "a file of that name with the claimed val_bpb", "submission.json"))
    script = submission.scripts.get(submission.entry)
    if script is None or script.size == 0:
        missing.append(("the training script", "a Python file that is not empty and starts a run", submission.entry))
    if not any(log.runs for log in submission.logs):
        missing.append(("a training log", "the output of the runs that the claim comes from, steps and final scores", ""))
    return missing
