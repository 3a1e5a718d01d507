"""V104: the source that a log embeds is the submitted script's, but for a few lines; the defaults that changed are named."""

from __future__ import annotations

import re
from collections import Counter

from pgolf_check.model import Answer, Certainty, Figure, Finding, Location, Severity, Witness
from pgolf_check.rules.answers import failed, not_applicable
from pgolf_check.rules.facts import Facts
from pgolf_check.rules.runs import LoggedRun, counted_runs
from pgolf_check.submission.model import Script, Submission

CODE = "V104"
DEFAULT = re.compile(r"environ\.get\(\s*[\"'](\w+)[\"']\s*,\s*([^()\n]{1,60}?)\s*\)")
NAMED = 5


def check(facts: Facts) -> Answer:
    submission = facts.submission
    runs = counted_runs(submission)
    claimed = [r for r in runs if r.claimed]
    logs = {r.log.path: r for r in claimed or runs if r.log.embedded_source}
    scripts = [script for script in submission.scripts.values() if script.text is not None]
    if submission.entry not in {script.path for script in scripts} or not logs:
        return not_applicable(CODE, "no log that counts holds the source of its run")
    forms = [(script, text) for script in scripts for text in _forms(submission, script)]
    nearest = {path: max((_share(r.log.embedded_source or "", text), s.path) for s, text in forms) for path, r in logs.items()}
    figures = [Figure("least_share_of_equal_lines", round(min(share for share, _ in nearest.values()), 4))]
    findings = [
        _finding(facts, logs[path], submission.scripts[script], share) for path, (share, script) in nearest.items() if share < 1
    ]
    return failed(CODE, findings, figures)


def _forms(submission: Submission, script: Script) -> list[str]:
    """A script as shipped and as decoded."""
    file = submission.file(script.path)
    raw = file.data.decode("utf-8", "replace") if script.layers and file is not None and file.data is not None else ""
    return [form for form in (script.text or "", raw) if form]


def _share(logged: str, text: str) -> float:
    """The share of lines that both have, of the longer one; blank lines and indentation at line ends do not count."""
    mine, theirs = _lines(logged), _lines(text)
    return (mine & theirs).total() / max(mine.total(), theirs.total(), 1)


def _lines(text: str) -> Counter[str]:
    return Counter(line.rstrip() for line in text.splitlines() if line.strip())


def _finding(facts: Facts, logged: LoggedRun, script: Script, share: float) -> Finding:
    source, text = logged.log.embedded_source or "", script.text or ""
    mine, theirs = _lines(source), _lines(text)
    told = f"{logged.log.path} holds a source that is nearest to {script.path}: {share:.1%} of the lines are equal"
    told += f"; {(mine - theirs).total()} lines are only in the log, {(theirs - mine).total()} only in the script"
    was, now = dict(DEFAULT.findall(source)), dict(DEFAULT.findall(text))
    changed = [
        f"{name} ({was[name]} in the log, {now[name]} in the script)"
        for name in sorted(was)
        if now.get(name, was[name]) != was[name]
    ]
    if changed:
        told += f"; defaults that differ: {', '.join(changed[:NAMED])}"
    other = share < facts.edition.same_script
    places = (Location(logged.log.path, logged.run.first_line), Location(script.path))
    return Finding(CODE, Witness.PAPER, Certainty.PROVEN, told, places, ceiling=Severity.BLOCK if other else Severity.NOTE)
