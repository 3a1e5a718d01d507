"""A verdict does not depend on names, order of definitions, comments or layout."""

from __future__ import annotations

from pathlib import Path

import pytest
from variants import VARIANTS

from fixtures import BASE, Case, build, cases
from pgolf_check.audit import audit
from pgolf_check.model import Report, Witness

STATIC = [
    case
    for case in cases()
    if case.code[0] in "CD"
    and "dynamic" not in case.expect.get("witnesses", [])
    and any(e["file"] == "train_gpt.py" for e in case.expect.get("edit", []))
]
SHOWN = STATIC[::7]
"""Every seventh fixture of a rule about code: the rest would show the same for a minute more."""


def judged(submission: Path) -> tuple[str, set[tuple[str, str]]]:
    report: Report = audit(str(submission), witnesses=frozenset({Witness.STATIC}))
    return report.verdict, {(j.finding.rule, j.severity.value) for j in report.findings if j.finding.rule != "X102"}


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_base_stays_clean(variant: str, tmp_path: Path) -> None:
    (tmp_path / "case").mkdir()
    script = build(Case("C301", "accept", tmp_path / "case", {}), tmp_path / "built") / "train_gpt.py"
    script.write_text(VARIANTS[variant]((BASE / "train_gpt.py").read_text()))
    assert judged(script.parent) == ("clean", set())


@pytest.mark.parametrize("case", SHOWN, ids=lambda case: case.name)
def test_a_fixture_keeps_its_verdict(case: Case, tmp_path: Path) -> None:
    submission = build(case, tmp_path)
    script = submission / "train_gpt.py"
    text, expected = script.read_text(), judged(submission)
    for name, rewrite in VARIANTS.items():
        script.write_text(rewrite(text))
        assert judged(submission) == expected, name
