"""V104: the source that a log embeds is the submitted script's, but for a few lines; the defaults that changed are named."""

from __future__ import annotations

import re
from collections import Counter

from pgolf_check.model import Answer, Certainty, Figure, Finding, Location, Severity, Witness
from pgolf_check.rules.answers import failed, not_applicable
from pgolf_check.rules.facts import Facts
from pgolf_check.rules.runs import LoggedRun, counted_runs
from pgolf_check.submission.log_binding import forms, lines, shared
from pgolf_check.submission.model import Script

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
    known = [(lines(text), script.path) for script in scripts for text in forms(submission, script)]
    sources = {source: _nearest(source, known) for source in {r.log.embedded_source or "" for r in logs.values()}}
    nearest = {path: sources[r.log.embedded_source or ""] for path, r in logs.items()}
    figures = [Figure("least_share_of_equal_lines", round(min(share for share, _ in nearest.values()), 4))]
    findings = [
        _finding(facts, logs[path], submission.scripts[script], share) for path, (share, script) in nearest.items() if share < 1
    ]
    return failed(CODE, findings, figures)


def _nearest(source: str, known: list[tuple[Counter[str], str]]) -> tuple[float, str]:
    """The largest share of lines that a script has of a source, and that script's path."""
    counted = lines(source)
    return max((shared(counted, text), path) for text, path in known)


def _finding(facts: Facts, logged: LoggedRun, script: Script, share: float) -> Finding:
    source, text = logged.log.embedded_source or "", script.text or ""
    mine, theirs = lines(source), lines(text)
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
