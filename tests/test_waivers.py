"""Waivers: what they cover, that they expire, and that a broken file is refused with every problem named."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest
from submissions import facts, submission, three_logs

from fixtures import ROOT, build, cases
from pgolf_check.cli import main
from pgolf_check.errors import UserError
from pgolf_check.model import Certainty, Finding, Location, Severity, Status, Verdict, Witness
from pgolf_check.rules.rulebook import load_rulebook
from pgolf_check.verdict import judge
from pgolf_check.waivers import Waiver, in_force, load_waivers, remarks

DAY = datetime.date(2026, 5, 2)
FOLDER = "records/track_10min_16mb/legal"
ENTRY = '[[waiver]]\ncode = "S101"\npath = "a"\nreason = "read"\nexpires = 2026-05-02\n'


def waiver(path: str = FOLDER, **changes: str) -> Waiver:
    return Waiver(**{"code": "S101", "reason": "read", "expires": DAY, "path": path, **changes})  # type: ignore[arg-type]


def over_the_cap(*waivers: Waiver):  # type: ignore[no-untyped-def]
    given = submission(logs=three_logs(total_bytes=16_000_001, model_bytes=None), folder=FOLDER)
    return judge(facts(given), load_rulebook(), ("S101",), waivers=waivers)


def test_a_waived_block_is_a_note_and_its_rule_passes() -> None:
    assert over_the_cap().verdict is Verdict.INELIGIBLE
    report = over_the_cap(waiver())
    assert report.verdict is Verdict.CLEAN
    assert {judged.severity for judged in report.findings} == {Severity.NOTE}
    assert {judged.waived for judged in report.findings} == {str(waiver())}
    assert next(answer.status for answer in report.answers if answer.rule == "S101") is Status.PASS


@pytest.mark.parametrize("path", [".", "records", FOLDER + "/", f"{FOLDER}/train_seed42.log"])
def test_a_path_covers_what_lies_below_it(path: str) -> None:
    file = Path(path).as_posix()
    left = [judged for judged in over_the_cap(waiver(file)).findings if not judged.waived]
    assert len(left) == (2 if path.endswith(".log") else 0)


@pytest.mark.parametrize("path", ["records/track_10min_16mb/leg", "record", "train_seed42.log"])
def test_a_path_covers_no_other(path: str) -> None:
    assert over_the_cap(waiver(path)).verdict is Verdict.INELIGIBLE
    assert over_the_cap(waiver(FOLDER, code="T101")).verdict is Verdict.INELIGIBLE


def test_a_finding_with_several_places_is_covered_only_with_all_of_them() -> None:
    finding = Finding("S101", Witness.PAPER, Certainty.PROVEN, "told", (Location("a"), Location("b")))
    assert waiver("x/a").covers(finding, "", ["x/a", "x/a/b"])
    assert not waiver("x/a").covers(finding, "", ["x/a", "x/b"])


def test_a_waiver_holds_through_its_last_day() -> None:
    assert in_force([waiver()], DAY) == (waiver(),)
    assert in_force([waiver()], DAY + datetime.timedelta(1)) == ()


def test_remarks_name_expired_and_unused_waivers() -> None:
    other = waiver("elsewhere")
    assert remarks([waiver(), other], DAY, [over_the_cap(waiver(), other)]) == (f"a waiver was not used: {other}",)
    assert remarks([waiver()], DAY + datetime.timedelta(1), []) == (f"a waiver has expired: {waiver()}",)


def load(tmp_path: Path, text: str) -> tuple[Waiver, ...]:
    file = tmp_path / "w.toml"
    file.write_text(text, encoding="utf-8")
    return load_waivers(str(file), load_rulebook().rules)


def test_a_file_is_read(tmp_path: Path) -> None:
    assert load(tmp_path, ENTRY) == (waiver("a"),)
    assert load(tmp_path, "") == ()


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('"S101"', '"S999"', "code is 'S999'"),
        ('path = "a"', "", "either path or fingerprint"),
        ('path = "a"', 'path = "a"\nfingerprint = "b"', "either path or fingerprint"),
        ('path = "a"', "path = 3", "path is 3"),
        ('reason = "read"', "", "reason is missing"),
        ('"read"', '" "', "reason is ' '"),
        ("2026-05-02", '"soon"', "expires is 'soon'"),
        ("2026-05-02", "2026-05-02T00:00:00", "expires is datetime"),
        ("reason", "because = 1\nreason", "because is no key"),
        ("[[waiver]]", "[waiver]", r"nothing but \[\[waiver\]\] tables"),
        ("[[waiver]]", "[[waivers]]", r"nothing but \[\[waiver\]\] tables"),
        ("[[waiver]]", "[[waiver", "not TOML"),
    ],
)
def test_a_broken_file_is_refused(tmp_path: Path, old: str, new: str, told: str) -> None:
    assert old in ENTRY
    with pytest.raises(UserError, match=told):
        load(tmp_path, ENTRY.replace(old, new))


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be read"):
        load_waivers(str(tmp_path / "missing"), ())


def test_check_obeys_the_reviewer_and_never_the_submission(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    case = next(case for case in cases() if case.code == "P101" and case.kind == "reject")
    submission = build(case, tmp_path)
    text = '[[waiver]]\ncode = "P101"\npath = "records"\nreason = "known"\nexpires = 2026-05-02\n'
    for folder in (tmp_path, submission):
        (folder / "w.toml").write_text(text, encoding="utf-8")
    paper = ["paper", str(submission), "--select", "P101", "--as-of", "2026-05-02"]
    assert main(paper) == 1
    assert main([*paper, "--waivers", str(tmp_path / "w.toml")]) == 0
    assert "waived: P101 records" in capsys.readouterr().out
    assert main([*paper, "--waivers", str(submission / "w.toml")]) == 2
    assert "belongs to the submission" in capsys.readouterr().err
    assert main(["paper", str(ROOT / "_base"), "--waivers", str(tmp_path / "w.toml"), "--as-of", "2026-05-02"]) == 0
    assert "a waiver was not used" in capsys.readouterr().err
