"""From the answers of the rules to a report: severities, statuses and the verdict.

A rule that raises becomes a finding of X103 and is not analysed; the others run on. A competent rule without a decision is never
hidden: it makes the verdict `incomplete`.
"""

from __future__ import annotations

import dataclasses
import traceback
from collections.abc import Collection, Iterable, Sequence
from pathlib import PurePath

from pgolf_check.errors import UserError
from pgolf_check.fingerprint import fingerprint
from pgolf_check.model import Answer, Certainty, Finding, JudgedFinding, Location, Report, Severity, Status, Verdict, Witness
from pgolf_check.places import finding_paths
from pgolf_check.rules.answers import failed, not_analysed, not_applicable
from pgolf_check.rules.facts import Facts
from pgolf_check.rules.registry import RuleModule, all_rules
from pgolf_check.rules.rulebook import PROFILES, Rulebook, RulePage
from pgolf_check.submission.model import Submission
from pgolf_check.waivers import Waiver

RULE_CRASHED = "X103"
RANK = {Severity.BLOCK: 0, Severity.REVIEW: 1, Severity.NOTE: 2}
BLOCKED = {"C": Verdict.ILLEGAL, "D": Verdict.ILLEGAL, "B": Verdict.ILLEGAL, "X": Verdict.INCOMPLETE}
"""What a blocking finding makes of the submission, by the first letter of its rule; the rest is ineligible."""


def judge(
    facts: Facts,
    rulebook: Rulebook,
    select: Collection[str] = (),
    ignore: Collection[str] = (),
    *,
    excused: Collection[str] = (),
    crashes: Sequence[str] = (),
    waivers: Sequence[Waiver] = (),
) -> Report:
    """Run every rule of the book and form the verdict.

    `excused` are rules whose findings are notes here; `crashes` are failures of a witness before the rules ran; `waivers` are in force.
    """
    if facts.profile not in PROFILES:
        raise UserError(f"{facts.profile!r} is no profile; known are " + " and ".join(PROFILES))
    check_codes((*select, *ignore), rulebook)
    failures = list(crashes)
    modules = all_rules()
    chosen = {code: modules.get(code) for code in rulebook.rules if code != RULE_CRASHED}
    answers = [
        _answer(facts, rulebook.rules[code], module, _chosen(code, select, ignore), failures) for code, module in chosen.items()
    ]
    if RULE_CRASHED in rulebook.rules:
        answers.append(failed(RULE_CRASHED, [_crash_finding(facts, failure) for failure in failures]))
    findings = judge_findings((f for a in answers for f in a.findings), rulebook, facts.profile, excused)
    findings = _waived(findings, waivers, facts.submission)
    answers = sorted((_with_status(a, findings) for a in answers), key=lambda a: a.rule)
    return Report(
        path=facts.submission.path,
        verdict=verdict(findings, answers),
        witnesses=tuple(w for w in Witness if w in facts.witnesses),
        findings=findings,
        answers=tuple(answers),
        edition=facts.edition.name,
        profile=facts.profile,
        sources=_sources(facts.submission),
        folder=facts.submission.folder,
        decoded=_decoded(facts.submission),
    )


def check_codes(codes: Iterable[str], rulebook: Rulebook) -> None:
    """Refuse a code, or the beginning of one, that no rule has."""
    for code in codes:
        if not code or not any(rule.startswith(code) for rule in rulebook.rules):
            raise UserError(f"{code!r} is no rule, nor the beginning of one; known are " + ", ".join(rulebook.rules))


def crash(error: BaseException) -> str:
    """An internal error in one line: its kind, its text and the place in the checker where it was raised."""
    text = " ".join(str(error).split())[:200]
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {PurePath(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{place}" + (f": {text}" if text else "")


def judge_findings(
    findings: Iterable[Finding], rulebook: Rulebook, profile: str, excused: Collection[str] = ()
) -> tuple[JudgedFinding, ...]:
    """Give every finding its name and severity; the worst come first, then by rule and place."""
    judged = []
    for finding in corroborate(tuple(dict.fromkeys(findings))):
        page = rulebook.rules[finding.rule]
        worst = Severity.NOTE if finding.rule in excused else finding.ceiling
        judged.append(JudgedFinding(finding, page.name, _severity(page.severity[profile], finding.certainty, worst)))
    return _sorted(judged)


def _sorted(judged: Iterable[JudgedFinding]) -> tuple[JudgedFinding, ...]:
    return tuple(sorted(judged, key=lambda j: (RANK[j.severity], j.finding.rule, j.finding.locations, j.finding.message)))


def _waived(findings: Iterable[JudgedFinding], waivers: Sequence[Waiver], submission: Submission) -> tuple[JudgedFinding, ...]:
    """The findings, those that a waiver covers as notes that name it."""
    sources, decoded = _sources(submission), _decoded(submission)
    judged = []
    for entry in findings:
        name = fingerprint(entry.finding, sources)
        places = finding_paths(entry.finding, submission.folder, decoded)
        waiver = next((w for w in waivers if w.covers(entry.finding, name, places)), None)
        judged.append(dataclasses.replace(entry, severity=Severity.NOTE, waived=str(waiver)) if waiver is not None else entry)
    return _sorted(judged)


def corroborate(findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """Two likely findings of one rule, from different witnesses and with a line in common, prove each other."""
    likely = [f for f in findings if f.certainty is Certainty.LIKELY]
    proven = {f for f in likely if any(f.witness is not g.witness and f.rule == g.rule and _lines(f) & _lines(g) for g in likely)}
    return tuple(dataclasses.replace(f, certainty=Certainty.PROVEN) if f in proven else f for f in findings)


def verdict(findings: Iterable[JudgedFinding], answers: Iterable[Answer]) -> Verdict:
    """The first that holds, in order of precedence."""
    reached = {Verdict.CLEAN}
    for judged in findings:
        if judged.severity is Severity.BLOCK:
            reached.add(BLOCKED.get(judged.finding.rule[0], Verdict.INELIGIBLE))
        elif judged.severity is Severity.REVIEW:
            reached.add(Verdict.REVIEW)
    if any(a.status is Status.NOT_ANALYSED for a in answers):
        reached.add(Verdict.INCOMPLETE)
    return next(v for v in Verdict if v in reached)


def _answer(facts: Facts, page: RulePage, module: RuleModule | None, chosen: bool, failures: list[str]) -> Answer:
    """One rule's answer, or why it gave none."""
    if not chosen:
        return Answer(page.code, Status.NOT_RUN, reason="left out by the reviewer's selection")
    if facts.as_of is not None and page.since > facts.as_of:
        return not_applicable(page.code, f"in force from {page.since}, after the day that the reviewer named ({facts.as_of})")
    competent = facts.witnesses & set(page.witnesses)
    convicts = facts.witnesses & set(page.convicts)
    not_run = Answer(page.code, Status.NOT_RUN, reason="needs a witness that did not run: " + " or ".join(page.witnesses))
    if not competent and not convicts:
        return not_run
    if module is None:
        return not_analysed(page.code, "this version of the checker has a page for the rule but no code")
    answer = _checked(facts, page, module, competent | convicts, failures)
    if competent:
        return answer
    shown = [finding for finding in answer.findings if finding.witness in convicts]
    return failed(page.code, shown) if shown else not_run


def _checked(facts: Facts, page: RulePage, module: RuleModule, asked: frozenset[Witness], failures: list[str]) -> Answer:
    if asked == {Witness.STATIC} and facts.static is None:
        return not_analysed(page.code, "the static witness gave no facts")
    try:
        return module.check(facts)
    except Exception as error:  # noqa: BLE001  (the boundary: a crash is an answer, X103)
        failures.append(f"rule {page.code} {page.name} stopped: {crash(error)}")
        return not_analysed(page.code, f"an internal error of the checker, see {RULE_CRASHED}")


def _chosen(code: str, select: Collection[str], ignore: Collection[str]) -> bool:
    return (not select or code.startswith(tuple(select))) and not (ignore and code.startswith(tuple(ignore)))


def _crash_finding(facts: Facts, failure: str) -> Finding:
    return Finding(
        RULE_CRASHED,
        next(w for w in Witness if w in facts.witnesses),
        Certainty.PROVEN,
        f"{failure}; this is a defect of the checker, not of the submission: please report it",
        (Location(facts.submission.entry),),
    )


def _severity(rule: Severity, certainty: Certainty, ceiling: Severity) -> Severity:
    limits = [rule, ceiling] + ([Severity.REVIEW] if certainty is Certainty.POSSIBLE else [])
    return max(limits, key=RANK.__getitem__)


def _with_status(answer: Answer, findings: Iterable[JudgedFinding]) -> Answer:
    """The status that the severities of a rule's findings amount to; a rule that did not decide keeps its own unless it found a breach."""
    severities = {j.severity for j in findings if j.finding.rule == answer.rule}
    if Severity.BLOCK in severities:
        return dataclasses.replace(answer, status=Status.FAIL)
    if answer.status not in (Status.PASS, Status.FAIL):
        return answer
    return dataclasses.replace(answer, status=Status.REVIEW if Severity.REVIEW in severities else Status.PASS)


def _lines(finding: Finding) -> set[tuple[str, int]]:
    return {(place.path, place.line) for place in finding.locations}


def _decoded(submission: Submission) -> dict[str, str]:
    """The decoded texts of `_sources`, with the file that each was found in."""
    whole = {path: path for path, script in submission.scripts.items() if script.layers}
    return whole | {f"{path}:{name}": path for path, script in submission.scripts.items() for name in script.modules}


def _sources(submission: Submission) -> dict[str, str]:
    sources = {path: script.text for path, script in submission.scripts.items() if script.text is not None}
    for path, script in submission.scripts.items():
        sources.update({f"{path}:{name}": text for name, text in script.modules.items()})
    return sources
