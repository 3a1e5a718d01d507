"""Findings as GitHub Markdown, for a comment or a job summary: the verdict first, then the submissions and their findings, worst first.

Words of a submission are escaped so that they make no markup, no link, no mention and no reference.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from pgolf_check.model import Answer, JudgedFinding, Report, Status, Step, Verdict
from pgolf_check.places import told
from pgolf_check.report.escape import printable, shortened
from pgolf_check.report.outcome import Outcome

COMMENT = 60_000
"""Bytes of a comment body; GitHub takes 65,536 characters."""
SUMMARY = 1_000_000
"""Bytes of a job summary; GitHub takes 1 MiB for a step."""
MARK = "<!-- pgolf-check -->"
"""Begins the text, so that a comment can be found and replaced."""
MESSAGE, CODE = 2_000, 300
STEPS = 50

_PUNCTUATION = re.compile(r"[!-/:-@\[-`{-~]")
_BREAK = "\u200b"
_REFERENCE = re.compile(r"(?<=[@#])|(?<=gh)(?=-)|(?<=:)(?=//)|(?<=www)(?=\.)", re.IGNORECASE)
"""Where GitHub, after it has undone the escapes, would see a person, an issue or an address."""


def as_markdown(outcome: Outcome, limit: int = SUMMARY) -> str:
    """At most `limit` bytes; what does not fit is counted at the end."""
    blocks = list(_blocks(outcome))
    room = limit - 200
    shown: list[str] = []
    for block in blocks:
        room -= len(block.encode())
        if room < 0:
            shown.append(f"{len(blocks) - len(shown)} more paragraphs were left out; the JSON and SARIF reports have them.\n")
            break
        shown.append(block)
    return "\n".join(shown)


def plain(text: str) -> str:
    """Text that reads as it is written: no markup, no HTML, no link, no mention of a person, no reference to an issue."""
    words = _PUNCTUATION.sub(lambda match: "\\" + match[0], _REFERENCE.sub(_BREAK, printable(text)))
    return " ".join(words.split())


def code(text: str) -> str:
    """A code span."""
    shown = shortened(printable(text), CODE) or "."
    fence = "`" * (max(map(len, re.findall("`+", shown)), default=0) + 1)
    pad = " " if shown.strip(" ") and (shown[0] in "` " or shown[-1] in "` ") else ""
    return f"{fence}{pad}{shown}{pad}{fence}"


def _blocks(outcome: Outcome) -> Iterator[str]:
    yield f"{MARK}\n## pgolf-check: {outcome.verdict.value}\n"
    if outcome.subject:
        yield f"{plain(outcome.subject)}\n"
    for sentence in outcome.refused:
        yield f"- **not judged**: {_message(sentence)}\n"
    for remark in outcome.remarks:
        yield f"- {_message(remark)}\n"
    reports = sorted(outcome.reports, key=lambda report: list(Verdict).index(report.verdict))
    if len(reports) > 1:
        yield "".join(f"- {code(report.path)}: {report.verdict.value}\n" for report in reports)
    for report in reports:
        yield from _report(report)


def _report(report: Report) -> Iterator[str]:
    witnesses = ", ".join(report.witnesses)
    yield f"### {code(report.path)}: {report.verdict.value} ({witnesses})\n"
    for judged in report.findings:
        yield _finding(judged, report)
    undecided = [answer for answer in report.answers if answer.status is Status.NOT_ANALYSED]
    if undecided:
        yield _undecided(undecided)
    yield f"Edition {plain(report.edition)}, profile {plain(report.profile)}.\n"


def _finding(judged: JudgedFinding, report: Report) -> str:
    finding = judged.finding
    head = f"**{judged.severity.value} {finding.rule} {judged.name}** ({finding.certainty.value}, {finding.witness.value})"
    text = f"- {head}: {_message(finding.message)}\n"
    if judged.waived:
        text += f"\n  Waived: {_message(judged.waived)}\n"
    steps = finding.trace or tuple(Step(place, "") for place in finding.locations)
    return text + "".join(f"  {number}. {_step(step, report)}\n" for number, step in enumerate(steps[:STEPS], 1))


def _step(step: Step, report: Report) -> str:
    message = f" {_message(step.message)}" if step.message else ""
    return code(told(step.location, report)) + message


def _undecided(answers: Iterable[Answer]) -> str:
    return "Could not decide:\n\n" + "".join(f"- {answer.rule}: {_message(answer.reason)}\n" for answer in answers)


def _message(text: str) -> str:
    return plain(shortened(text, MESSAGE))
