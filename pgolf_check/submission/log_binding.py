"""Whether the source that a log embeds is that of a script of the submission, by the share of lines that both have."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from pgolf_check.submission.model import Script, Submission
from pgolf_check.submission.text import decode_python

FOREIGN = 0.8
"""Below this share of equal lines a log is that of another program, not of an earlier draft."""


def forms(submission: Submission, script: Script) -> list[str]:
    """A script as shipped and as decoded."""
    file = submission.file(script.path)
    raw = decode_python(file.data) if script.layers and file is not None and file.data is not None else ""
    return [form for form in (script.text or "", raw) if form]


def lines(text: str) -> Counter[str]:
    """How often each line occurs; blank lines and white space at line ends do not count."""
    return Counter(line.rstrip() for line in text.splitlines() if line.strip())


def shared(logged: Counter[str], script: Counter[str]) -> float:
    """The share of lines that both have, of the longer one."""
    return (logged & script).total() / max(logged.total(), script.total(), 1)


def without_foreign_logs(submission: Submission) -> Submission:
    """The submission without the logs that embed another program's source; itself if there are none, or no script can be read."""
    if submission.entry not in submission.scripts or submission.scripts[submission.entry].text is None:
        return submission
    texts = {form for script in submission.scripts.values() for form in forms(submission, script)}
    sources = {log.embedded_source for log in submission.logs if log.embedded_source} - texts
    known = [lines(text) for text in texts] if sources else []
    foreign = {source for source in sources if _foreign(lines(source), known)}
    if not foreign:
        return submission
    return replace(submission, logs=tuple(log for log in submission.logs if log.embedded_source not in foreign))


def _foreign(source: Counter[str], known: list[Counter[str]]) -> bool:
    return all(shared(source, text) < FOREIGN for text in known)
