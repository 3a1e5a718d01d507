"""The verdict: precedence, severities, statuses, selection, dates, crashes and corroboration."""

from __future__ import annotations

import dataclasses
import datetime
import itertools

import pytest
from submissions import facts

from pgolf_check import verdict as subject
from pgolf_check.errors import UserError
from pgolf_check.model import Answer, Certainty, Finding, JudgedFinding, Location, Severity, Status, Verdict, Witness
from pgolf_check.rules.answers import failed, not_analysed, passed
from pgolf_check.rules.registry import RuleModule
from pgolf_check.rules.rulebook import Rulebook, RulePage, load_rulebook

PAPER, STATIC = Witness.PAPER, Witness.STATIC
CODES = ("B101", "C301", "S101", "X101", "X103")


def page(code: str, severity: str = "block", witnesses: tuple[Witness, ...] = (PAPER, STATIC)) -> RulePage:
    both = {"precedent": Severity(severity), "strict": Severity.BLOCK}
    return RulePage(code, code.lower(), both, witnesses, datetime.date(2026, 4, 1), (), {}, "")


def book(*pages: RulePage) -> Rulebook:
    return Rulebook({p.code: p for p in (pages or tuple(page(code) for code in CODES))})


def finding(rule: str, certainty: str = "proven", witness: Witness = PAPER, line: int = 1, ceiling: str = "block") -> Finding:
    return Finding(rule, witness, Certainty(certainty), "told", (Location("a.py", line),), ceiling=Severity(ceiling))


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    """What each rule answers; an exception is raised. Rules that are not named pass."""
    given: dict[str, object] = {}

    def check(code: str) -> Answer:
        answer = given.get(code, passed(code))
        if isinstance(answer, Exception):
            raise answer
        assert isinstance(answer, Answer)
        return answer

    modules = {code: RuleModule(code, code.lower(), lambda _, code=code: check(code)) for code in CODES}
    monkeypatch.setattr(subject, "all_rules", lambda: modules)
    return given


def judge(rulebook: Rulebook | None = None, **options: object):  # type: ignore[no-untyped-def]
    given = facts(**{key: options.pop(key) for key in ("profile", "as_of", "witnesses") if key in options})
    return subject.judge(given, rulebook or book(), **options)  # type: ignore[arg-type]


def status(report, code: str) -> Status:  # type: ignore[no-untyped-def]
    return next(a.status for a in report.answers if a.rule == code)


def test_clean_if_every_competent_rule_passed(answers: dict[str, object]) -> None:
    report = judge(book(page("B101"), page("C301", witnesses=(STATIC,))))
    assert report.verdict is Verdict.CLEAN
    assert (status(report, "B101"), status(report, "C301")) == (Status.PASS, Status.NOT_RUN)
    assert report.witnesses == (PAPER,)


def test_a_witness_that_can_only_convict_does_so_and_decides_nothing(answers: dict[str, object]) -> None:
    rules = book(page("B101"), dataclasses.replace(page("C301", witnesses=(STATIC,)), convicts=(PAPER,)))
    assert status(judge(rules), "C301") is Status.NOT_RUN
    answers["C301"] = failed("C301", [finding("C301", witness=STATIC)])
    assert status(judge(rules), "C301") is Status.NOT_RUN, "not the finding of a witness that was not asked"
    answers["C301"] = failed("C301", [finding("C301", witness=PAPER)])
    report = judge(rules)
    assert (report.verdict, status(report, "C301")) == (Verdict.ILLEGAL, Status.FAIL)


def test_precedence_of_verdicts() -> None:
    parts = {
        Verdict.ILLEGAL: JudgedFinding(finding("C301"), "", Severity.BLOCK),
        Verdict.INELIGIBLE: JudgedFinding(finding("S101"), "", Severity.BLOCK),
        Verdict.INCOMPLETE: JudgedFinding(finding("X101"), "", Severity.BLOCK),
        Verdict.REVIEW: JudgedFinding(finding("D107"), "", Severity.REVIEW),
        Verdict.CLEAN: JudgedFinding(finding("C301"), "", Severity.NOTE),
    }
    for size in range(1, len(parts) + 1):
        for chosen in itertools.combinations(parts, size):
            assert subject.verdict([parts[v] for v in reversed(chosen)], []) is chosen[0]


@pytest.mark.parametrize("code", ["C101", "D101", "B101"])
def test_blocks_of_c_d_and_b_are_illegal(code: str) -> None:
    assert subject.verdict([JudgedFinding(finding(code), "", Severity.BLOCK)], []) is Verdict.ILLEGAL


@pytest.mark.parametrize("code", ["S101", "T101", "V101", "P101"])
def test_blocks_of_s_t_v_and_p_are_ineligible(code: str) -> None:
    assert subject.verdict([JudgedFinding(finding(code), "", Severity.BLOCK)], []) is Verdict.INELIGIBLE


def test_missing_evidence_is_incomplete_and_not_clean(answers: dict[str, object]) -> None:
    answers["S101"] = not_analysed("S101", "no log")
    report = judge()
    assert report.verdict is Verdict.INCOMPLETE
    assert status(report, "S101") is Status.NOT_ANALYSED


def test_a_crash_is_an_answer_and_the_others_run_on(answers: dict[str, object]) -> None:
    answers["B101"] = KeyError("\x1b[31mboom")
    answers["S101"] = failed("S101", [finding("S101")])
    report = judge()
    assert report.verdict is Verdict.INELIGIBLE
    assert status(report, "B101") is Status.NOT_ANALYSED
    crash = next(j.finding for j in report.findings if j.finding.rule == "X103")
    assert "B101" in crash.message and "KeyError" in crash.message and "Traceback" not in crash.message


def test_a_crash_alone_is_incomplete(answers: dict[str, object]) -> None:
    answers["C301"] = RecursionError()
    report = judge()
    assert (report.verdict, status(report, "X103")) == (Verdict.INCOMPLETE, Status.FAIL)


def test_a_crashed_witness_leaves_its_rules_undecided(answers: dict[str, object]) -> None:
    rulebook = book(page("C301", witnesses=(STATIC,)), page("X103"))
    report = judge(rulebook, witnesses=frozenset({PAPER, STATIC}), crashes=["the static witness stopped"])
    assert (report.verdict, status(report, "C301")) == (Verdict.INCOMPLETE, Status.NOT_ANALYSED)


@pytest.mark.parametrize(
    ("certainty", "ceiling", "severity"),
    [
        ("proven", "block", "block"),
        ("likely", "block", "block"),
        ("possible", "block", "review"),
        ("proven", "review", "review"),
        ("possible", "note", "note"),
        ("likely", "note", "note"),
    ],
)
def test_severity(answers: dict[str, object], certainty: str, ceiling: str, severity: str) -> None:
    answers["C301"] = failed("C301", [finding("C301", certainty, ceiling=ceiling)])
    report = judge()
    assert report.findings[0].severity == severity
    assert status(report, "C301") == {"block": "fail", "review": "review", "note": "pass"}[severity]


def test_the_profile_chooses_the_severity(answers: dict[str, object]) -> None:
    answers["C301"] = failed("C301", [finding("C301")])
    rulebook = book(page("C301", "note"))
    assert judge(rulebook).verdict is Verdict.CLEAN
    assert judge(rulebook, profile="strict").verdict is Verdict.ILLEGAL
    with pytest.raises(UserError, match="no profile"):
        judge(rulebook, profile="lenient")


def test_a_possible_finding_does_not_raise_a_note(answers: dict[str, object]) -> None:
    answers["C301"] = failed("C301", [finding("C301", "possible")])
    assert judge(book(page("C301", "note"))).findings[0].severity is Severity.NOTE


def test_excused_rules_give_notes(answers: dict[str, object]) -> None:
    answers["C301"] = failed("C301", [finding("C301")])
    answers["S101"] = failed("S101", [finding("S101")])
    report = judge(excused={"C301"})
    assert {j.finding.rule: j.severity for j in report.findings} == {"C301": "note", "S101": "block"}


def test_two_likely_findings_of_two_witnesses_prove_each_other() -> None:
    both = (finding("C301", "likely", PAPER), finding("C301", "likely", STATIC))
    assert {f.certainty for f in subject.corroborate(both)} == {Certainty.PROVEN}


@pytest.mark.parametrize(
    "other",
    [
        finding("C301", "likely", PAPER, line=2),
        finding("C302", "likely", STATIC),
        finding("C301", "likely", STATIC, line=2),
        finding("C301", "possible", STATIC),
        finding("C301", "proven", STATIC),
    ],
)
def test_nothing_else_changes_certainty(other: Finding) -> None:
    both = (finding("C301", "likely", PAPER), other)
    assert subject.corroborate(both) == both


def test_selection(answers: dict[str, object]) -> None:
    answers["C301"] = failed("C301", [finding("C301")])
    answers["S101"] = failed("S101", [finding("S101")])
    assert judge(select=["S"]).verdict is Verdict.INELIGIBLE
    assert judge(ignore=["C3"]).verdict is Verdict.INELIGIBLE
    assert judge(select=["C", "S"], ignore=["C301"]).verdict is Verdict.INELIGIBLE
    report = judge(ignore=["C301", "S101"])
    assert report.verdict is Verdict.CLEAN
    assert status(report, "C301") is Status.NOT_RUN
    with pytest.raises(UserError, match="Q"):
        judge(select=["Q"])


def test_a_date_switches_a_rule_off_only_when_the_reviewer_asks(answers: dict[str, object]) -> None:
    answers["C301"] = failed("C301", [finding("C301")])
    assert judge().verdict is Verdict.ILLEGAL
    assert judge(as_of=datetime.date(2026, 4, 1)).verdict is Verdict.ILLEGAL
    earlier = judge(as_of=datetime.date(2026, 3, 31))
    assert (earlier.verdict, status(earlier, "C301")) == (Verdict.CLEAN, Status.NOT_APPLICABLE)


def test_reports_are_sorted_and_free_of_repetitions(answers: dict[str, object]) -> None:
    later, earlier = finding("C301", line=9), finding("C301", line=2)
    answers["C301"] = failed("C301", [later, earlier, later, dataclasses.replace(earlier, ceiling=Severity.NOTE)])
    answers["B101"] = failed("B101", [finding("B101", "possible")])
    report = judge()
    assert [(j.severity, j.finding.rule, j.finding.locations[0].line) for j in report.findings] == [
        ("block", "C301", 2),
        ("block", "C301", 9),
        ("review", "B101", 1),
        ("note", "C301", 2),
    ]
    assert [a.rule for a in report.answers] == sorted(CODES)


def test_the_real_rules_pass_the_legal_record() -> None:
    report = subject.judge(facts(), load_rulebook())
    assert report.verdict is Verdict.CLEAN, report
    assert {a.rule: a.status for a in report.answers}["S101"] is Status.PASS
