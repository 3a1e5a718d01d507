"""Whether the source that a log embeds is that of a script of the submission, by the share of lines that both have."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from pgolf_check.submission.model import Log, Script, Submission

FOREIGN = 0.8
"""Below this share of equal lines a log is that of another program, not of an earlier draft."""


def forms(submission: Submission, script: Script) -> list[str]:
    """A script as shipped and as decoded."""
    file = submission.file(script.path)
    raw = file.data.decode("utf-8", "replace") if script.layers and file is not None and file.data is not None else ""
    return [form for form in (script.text or "", raw) if form]


def shared(logged: str, text: str) -> float:
    """The share of lines that both have, of the longer one; blank lines and indentation at line ends do not count."""
    mine, theirs = lines(logged), lines(text)
    return (mine & theirs).total() / max(mine.total(), theirs.total(), 1)


def lines(text: str) -> Counter[str]:
    return Counter(line.rstrip() for line in text.splitlines() if line.strip())


def without_foreign_logs(submission: Submission) -> Submission:
    """The submission without the logs that embed another program's source; itself if there are none, or no script can be read."""
    if submission.entry not in submission.scripts or submission.scripts[submission.entry].text is None:
        return submission
    known = [form for script in submission.scripts.values() for form in forms(submission, script)]
    own = tuple(log for log in submission.logs if not _foreign(log, known))
    return submission if len(own) == len(submission.logs) else replace(submission, logs=own)


def _foreign(log: Log, known: list[str]) -> bool:
    source = log.embedded_source
    return bool(source) and all(shared(source or "", form) < FOREIGN for form in known)
