"""Findings as workflow commands of GitHub Actions, one a line: errors that block, warnings to review, notices.

GitHub shows ten of each kind for a step, so the worst come first. Every line begins with a command of ours or with plain words of ours.
"""

from __future__ import annotations

from collections.abc import Iterator

from pgolf_check.model import JudgedFinding, Report, Severity
from pgolf_check.places import shipped, told
from pgolf_check.report.escape import printable, shortened
from pgolf_check.report.outcome import Outcome

COMMANDS = {Severity.BLOCK: "error", Severity.REVIEW: "warning", Severity.NOTE: "notice"}
MESSAGE = 4_000
STEPS = 20


def as_github(outcome: Outcome) -> str:
    """The commands, then one line with the verdict."""
    return "".join(f"{line}\n" for line in dict.fromkeys(_lines(outcome)))


def _lines(outcome: Outcome) -> Iterator[str]:
    for sentence in outcome.refused:
        yield _command("error", {"title": "not judged"}, sentence)
    for report, judged in outcome.findings():
        yield _annotation(report, judged)
    for report, answer in outcome.undecided():
        yield _command("warning", {"title": f"{answer.rule} could not decide"}, f"{report.path}: {answer.reason}")
    for remark in outcome.remarks:
        yield _command("warning", {"title": "waiver"}, remark)
    judged_paths = ", ".join(f"{printable(report.path)} {report.verdict.value}" for report in outcome.reports)
    yield f"pgolf-check: {outcome.verdict.value}" + (f" ({judged_paths})" if judged_paths else "")


def _annotation(report: Report, judged: JudgedFinding) -> str:
    finding = judged.finding
    properties: dict[str, str | int] = {}
    if finding.locations:
        place = shipped(finding.locations[0], report)
        named: dict[str, str | int] = {"file": place.path, "line": place.line, "endLine": place.end_line, "col": place.column}
        properties = {name: value for name, value in named.items() if value}
    properties["title"] = f"{finding.rule} {judged.name} ({finding.certainty.value}, {finding.witness.value})"
    steps = [f"{n}. {told(step.location, report)} {step.message}" for n, step in enumerate(finding.trace[:STEPS], 1)]
    waived = [f"waived: {judged.waived}"] if judged.waived else []
    return _command(COMMANDS[judged.severity], properties, finding.message, *waived, *steps)


def _command(name: str, properties: dict[str, str | int], *lines: str) -> str:
    """One workflow command; `lines` are joined by line breaks that GitHub shows."""
    given = ",".join(f"{key}={_property(value)}" for key, value in properties.items())
    return f"::{name} {given}::" + "%0A".join(_data(line) for line in lines)


def _data(text: str) -> str:
    """One line of a message; line breaks are already shown as escapes."""
    return shortened(printable(text), MESSAGE).replace("%", "%25")


def _property(value: str | int) -> str:
    return _data(str(value)).replace(":", "%3A").replace(",", "%2C")
