"""Every fixture gets the verdict and the findings that its expect.toml states."""

from __future__ import annotations

from pathlib import Path

import pytest

from fixtures import BASE, Case, build, cases, pull_request
from pgolf_check.audit import audit
from pgolf_check.model import Report, Severity, Witness


def findings(report: Report) -> dict[str, set[str]]:
    """The severities of the findings, by rule."""
    found: dict[str, set[str]] = {}
    for judged in report.findings:
        found.setdefault(judged.finding.rule, set()).add(judged.severity.value)
    return found


def test_the_base_is_clean() -> None:
    report = audit(str(BASE))
    assert report.verdict == "clean", report.findings


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.name)
def test_fixture(case: Case, tmp_path: Path) -> None:
    expect = case.expect
    submission = build(case, tmp_path)
    report = audit(
        str(submission),
        witnesses=frozenset(Witness(w) for w in expect.get("witnesses", ["paper", "static"])),
        profile=expect.get("profile", "precedent"),
        pull_request=pull_request(case, submission),
    )
    found = findings(report)
    told = [f"{j.severity} {j.finding.rule} {j.finding.message}" for j in report.findings]
    assert report.verdict == expect["verdict"], told
    for rule, severity in expect.get("rules", {}).items():
        assert severity in found.get(rule, set()), told
    for rule in expect.get("absent", []):
        assert not found.get(rule, set()) & {Severity.BLOCK, Severity.REVIEW}, told


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.name)
def test_expectation_speaks_of_its_rule(case: Case) -> None:
    if case.kind == "accept":
        assert case.code in case.expect.get("absent", [])
    else:
        assert case.expect.get("rules", {}).get(case.code) in ("block", "review")
