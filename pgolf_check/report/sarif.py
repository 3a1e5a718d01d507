"""Findings as SARIF 2.1.0, within the limits of GitHub code scanning: one run, at most 5,000 results and 10 MB compressed.

The worst findings come first, so that a limit cuts the least. Paths are relative to the repository; lines of decoded text are told
in the message, since they are not lines of a file.
"""

from __future__ import annotations

import gzip
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from typing import Any
from urllib.parse import quote

from pgolf_check.fingerprint import fingerprint
from pgolf_check.model import JudgedFinding, Location, Report, Severity, Step
from pgolf_check.places import shipped
from pgolf_check.report.escape import printable, safe_json, shortened
from pgolf_check.report.outcome import RANK, Outcome
from pgolf_check.rules.rulebook import RulePage, load_rulebook

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
RESULTS, STEPS, PLACES = 5_000, 1_000, 100
COMPRESSED = 10_000_000
TEXT, DESCRIPTION = 1_000, 1_024
LEVELS = {Severity.BLOCK: "error", Severity.REVIEW: "warning", Severity.NOTE: "note"}

Object = dict[str, Any]


def as_sarif(outcome: Outcome) -> str:
    """The log file, indented, with a final newline."""
    found = outcome.findings()
    count = min(len(found), RESULTS)
    while True:
        text = safe_json(json.dumps(_log(outcome, found[:count], len(found) - count), indent=1, ensure_ascii=False)) + "\n"
        if not count or len(gzip.compress(text.encode())) < COMPRESSED:
            return text
        count //= 2


def _log(outcome: Outcome, found: Sequence[tuple[Report, JudgedFinding]], left_out: int) -> Object:
    pages = load_rulebook().rules
    codes = sorted(pages)
    profile = outcome.reports[0].profile if outcome.reports else "precedent"
    run = {
        "tool": {
            "driver": {
                "name": "pgolf-check",
                "semanticVersion": version("pgolf"),
                "rules": [_rule(pages[code], profile) for code in codes],
            }
        },
        "columnKind": "unicodeCodePoints",
        "invocations": [
            {"executionSuccessful": not outcome.refused, "toolExecutionNotifications": _notifications(outcome, left_out)}
        ],
        "results": _results(found, codes),
        "properties": {
            "verdict": outcome.verdict.value,
            "submissions": [{"path": printable(r.path), "verdict": r.verdict.value} for r in outcome.reports],
        },
    }
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}


def _rule(page: RulePage, profile: str) -> Object:
    says = " ".join(page.headings["What it says"].split())
    return {
        "id": page.code,
        "name": "".join(word.capitalize() for word in page.name.split("-")),
        "shortDescription": {"text": f"{page.code} {page.name}"},
        "fullDescription": {"text": shortened(says, DESCRIPTION)},
        "help": {"text": page.text, "markdown": page.text},
        "helpUri": page.authority[0].url,
        "defaultConfiguration": {"level": LEVELS[page.severity[profile]]},
    }


def _results(found: Sequence[tuple[Report, JudgedFinding]], codes: list[str]) -> list[Object]:
    seen: Counter[str] = Counter()
    results = []
    for report, judged in found:
        name = fingerprint(judged.finding, report.sources)
        seen[name + report.folder] += 1
        results.append(_result(report, judged, codes, f"{name}:{seen[name + report.folder]}"))
    return results


def _result(report: Report, judged: JudgedFinding, codes: list[str], name: str) -> Object:
    finding = judged.finding
    places = finding.locations[:PLACES] or (Location(""),)
    told = f"{finding.message} ({finding.certainty.value}, {finding.witness.value})"
    return {
        "ruleId": finding.rule,
        "ruleIndex": codes.index(finding.rule),
        "level": LEVELS[judged.severity],
        "message": _message(told + _decoded_line(places[0], report)),
        "locations": [_location(places[0], report)],
        **_optional("relatedLocations", [{"id": n, **_location(place, report)} for n, place in enumerate(places[1:], 1)]),
        **_optional("codeFlows", _code_flows(finding.trace[:STEPS], report)),
        "partialFingerprints": {"pgolfFinding/v1": name, "primaryLocationLineHash": name},
        **_optional("suppressions", _suppressions(judged)),
        "rank": {0: 100.0, 1: 50.0, 2: 0.0}[RANK[judged.severity]],
    }


def _code_flows(trace: Iterable[Step], report: Report) -> list[Object]:
    steps = [
        {"location": {**_location(s.location, report), "message": _message(s.message + _decoded_line(s.location, report))}}
        for s in trace
    ]
    return [{"threadFlows": [{"locations": steps}]}] if steps else []


def _suppressions(judged: JudgedFinding) -> list[Object]:
    if not judged.waived:
        return []
    return [{"kind": "external", "status": "accepted", "justification": shortened(printable(judged.waived), TEXT)}]


def _location(place: Location, report: Report) -> Object:
    found = shipped(place, report)
    region = {"startLine": found.line} if found.line > 0 else {}
    if region and found.column > 0:
        region["startColumn"] = found.column
    if region and found.end_line > found.line:
        region["endLine"] = found.end_line
    return {"physicalLocation": {"artifactLocation": {"uri": _uri(found.path)}, **_optional("region", region)}}


def _uri(path: str) -> str:
    """A path as a relative URI reference, or as a file URI if it is absolute."""
    return ("file://" if path.startswith("/") else "") + quote(path.encode("utf-8", "surrogatepass"))


def _decoded_line(place: Location, report: Report) -> str:
    return f" [line {place.line} of the decoded source]" if place.path in report.decoded and place.line else ""


def _message(text: str) -> Object:
    """A message in which no bracket makes a link."""
    plain = shortened(printable(text), TEXT)
    return {"text": plain.replace("\\", "\\\\").replace("[", "\\[").replace("]", "\\]")}


def _notifications(outcome: Outcome, left_out: int) -> list[Object]:
    told = [("error", message, "") for message in outcome.refused]
    told += [
        ("warning", f"{r.path}: {answer.rule} could not decide: {answer.reason}", answer.rule) for r, answer in outcome.undecided()
    ]
    told += [("note", remark, "") for remark in outcome.remarks]
    if left_out:
        told.append(("warning", f"{left_out:,} findings were left out because a log file may not be larger", ""))
    return [
        {"level": level, "message": _message(text), **_optional("associatedRule", {"id": code} if code else {})}
        for level, text, code in told
    ]


def _optional(name: str, value: Any) -> Object:
    return {name: value} if value else {}
