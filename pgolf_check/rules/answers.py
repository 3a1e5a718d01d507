"""The answers that a rule can give, and the answer of two witnesses together; the verdict turns their findings into severities."""

from __future__ import annotations

from collections.abc import Iterable

from pgolf_check.model import Answer, Figure, Finding, Status


def passed(rule: str, figures: Iterable[Figure] = ()) -> Answer:
    """The rule decided, and nothing breaks it."""
    return Answer(rule, Status.PASS, figures=tuple(figures))


def failed(rule: str, findings: Iterable[Finding], figures: Iterable[Figure] = ()) -> Answer:
    """The rule decided, with these findings; without any, it passed."""
    found = tuple(findings)
    return Answer(rule, Status.FAIL if found else Status.PASS, found, tuple(figures))


def not_applicable(rule: str, reason: str) -> Answer:
    """The rule does not speak of this kind of submission."""
    return Answer(rule, Status.NOT_APPLICABLE, reason=reason)


def not_analysed(rule: str, reason: str, figures: Iterable[Figure] = ()) -> Answer:
    """The rule could not decide because evidence is missing."""
    return Answer(rule, Status.NOT_ANALYSED, figures=tuple(figures), reason=reason)


def joined(rule: str, *answers: Answer | None) -> Answer:
    """What the witnesses of one rule say together: all findings, and undecided if one of them is. None: a witness that was not asked."""
    given = [answer for answer in answers if answer is not None]
    findings = [finding for answer in given for finding in answer.findings]
    figures = [figure for answer in given for figure in answer.figures]
    open_ones = [answer for answer in given if answer.status is Status.NOT_ANALYSED]
    if open_ones:
        return Answer(rule, Status.NOT_ANALYSED, tuple(findings), tuple(figures), open_ones[0].reason)
    return failed(rule, findings, figures)
