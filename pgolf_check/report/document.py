"""A report as the JSON document `pgolf-check/1`: sorted, relative POSIX paths, no times, the same bytes for the same submission."""

from __future__ import annotations

import json
from typing import Any

from pgolf_check.fingerprint import fingerprint
from pgolf_check.model import Answer, JudgedFinding, Location, Report, Step
from pgolf_check.report.escape import safe_json

SCHEMA = "pgolf-check/1"


def document(report: Report) -> dict[str, Any]:
    """The JSON object of a report; its schema is `rules/schemas/report.schema.json`."""
    return {
        "schema": SCHEMA,
        "path": report.path,
        "verdict": report.verdict.value,
        "witnesses": [w.value for w in report.witnesses],
        "edition": report.edition,
        "profile": report.profile,
        "findings": [_finding(judged, report) for judged in report.findings],
        "rules": [_rule(answer) for answer in report.answers],
        "figures": _figures(report.answers),
    }


def as_json(report: Report) -> str:
    """The document, indented, with a final newline."""
    return safe_json(json.dumps(document(report), indent=2, ensure_ascii=False)) + "\n"


def as_json_line(report: Report) -> str:
    """The document in one line."""
    return safe_json(json.dumps(document(report), separators=(",", ":"), ensure_ascii=False)) + "\n"


def _finding(judged: JudgedFinding, report: Report) -> dict[str, Any]:
    finding = judged.finding
    return {
        "rule": finding.rule,
        "name": judged.name,
        "severity": judged.severity.value,
        "certainty": finding.certainty.value,
        "witness": finding.witness.value,
        "message": finding.message,
        "locations": [_location(place) for place in finding.locations],
        "trace": [_step(step) for step in finding.trace],
        "fingerprint": fingerprint(finding, report.sources),
        **({"waived": judged.waived} if judged.waived else {}),
    }


def _location(place: Location) -> dict[str, Any]:
    return {"path": place.path, "line": place.line, "column": place.column, "end_line": place.end_line or place.line}


def _step(step: Step) -> dict[str, Any]:
    return {"path": step.location.path, "line": step.location.line, "message": step.message}


def _rule(answer: Answer) -> dict[str, Any]:
    told = {"reason": answer.reason} if answer.reason else {}
    return {"rule": answer.rule, "status": answer.status.value, **told}


def _figures(answers: tuple[Answer, ...]) -> dict[str, Any]:
    return {
        f"{answer.rule}.{figure.name}": {"value": figure.value, "unit": figure.unit}
        for answer in answers
        for figure in answer.figures
    }
