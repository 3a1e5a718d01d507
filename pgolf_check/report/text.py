"""A report for a terminal: the verdict first, each finding with its numbered path and source frames, then what was not decided."""

from __future__ import annotations

from collections.abc import Iterator

import click

from pgolf_check.model import Answer, Figure, JudgedFinding, Location, Report, Severity, Status, Step, Verdict
from pgolf_check.report.escape import printable

VERDICT_COLOURS = {
    Verdict.ILLEGAL: "red",
    Verdict.INELIGIBLE: "red",
    Verdict.INCOMPLETE: "yellow",
    Verdict.REVIEW: "yellow",
    Verdict.CLEAN: "green",
}
SEVERITY_COLOURS = {Severity.BLOCK: "red", Severity.REVIEW: "yellow", Severity.NOTE: "cyan"}
FRAME = 110
"""Characters of a source line that a frame shows."""


def as_text(report: Report) -> str:
    """The report, coloured; `click.echo` takes the colours off where they would not show."""
    return "\n".join(_lines(report)) + "\n"


def _lines(report: Report) -> Iterator[str]:
    verdict = click.style(report.verdict.value, fg=VERDICT_COLOURS[report.verdict], bold=True)
    yield f"{printable(report.path)}: {verdict} ({', '.join(report.witnesses)})"
    for judged in report.findings:
        yield ""
        yield from _finding(judged, report)
    yield ""
    yield from _undecided(report.answers)
    yield from _figures(report.answers)
    yield _summary(report)


def _finding(judged: JudgedFinding, report: Report) -> Iterator[str]:
    finding = judged.finding
    severity = click.style(f"{judged.severity.value} {finding.rule}", fg=SEVERITY_COLOURS[judged.severity], bold=True)
    yield f"{severity} {judged.name}, {finding.certainty.value} ({finding.witness.value})"
    yield f"  {printable(finding.message)}"
    if judged.waived:
        yield f"  waived: {printable(judged.waived)}"
    steps = finding.trace or tuple(Step(place, "") for place in finding.locations)
    for number, step in enumerate(steps, 1):
        told = f"  {printable(step.message)}" if step.message else ""
        yield f"  {number}. {_place(step.location)}{told}"
        yield from _frame(step.location, report)


def _place(place: Location) -> str:
    if not place.line:
        return printable(place.path)
    return f"{printable(place.path)}:{place.line}" + (f":{place.column}" if place.column else "")


def _frame(place: Location, report: Report) -> Iterator[str]:
    lines = report.sources.get(place.path, "").split("\n")
    if not 0 < place.line <= len(lines):
        return
    line = lines[place.line - 1]
    start = 0 if place.column <= FRAME else place.column - FRAME // 2
    shown = printable(line[start : start + FRAME].rstrip() if start else line[:FRAME].strip())
    if shown:
        yield click.style(f"     {place.line:>6} | {shown}", dim=True)


def _undecided(answers: tuple[Answer, ...]) -> Iterator[str]:
    for answer in answers:
        if answer.status is Status.NOT_ANALYSED:
            yield f"{answer.rule} could not decide: {printable(answer.reason)}"


def _figures(answers: tuple[Answer, ...]) -> Iterator[str]:
    figures = [f"{answer.rule} {figure.name.replace('_', ' ')} {_value(figure)}" for answer in answers for figure in answer.figures]
    if figures:
        yield "Figures: " + "; ".join(figures)


def _value(figure: Figure) -> str:
    if not isinstance(figure.value, int | float):
        return f"{printable(str(figure.value))} {figure.unit}".rstrip()
    number = f"{figure.value:,}" if isinstance(figure.value, int) else f"{figure.value:,.8g}"
    return f"{number} {figure.unit}".rstrip()


def _summary(report: Report) -> str:
    by_status: dict[Status, list[str]] = {}
    for answer in report.answers:
        by_status.setdefault(answer.status, []).append(answer.rule)
    counts = ", ".join(f"{len(by_status[status])} {status.value}" for status in Status if status in by_status)
    not_run = by_status.get(Status.NOT_RUN)
    return (
        f"Rules: {counts}"
        + (f" ({', '.join(not_run)})" if not_run else "")
        + f". Edition {report.edition}, profile {report.profile}."
    )
