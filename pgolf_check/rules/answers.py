"""The four answers that a rule can give; the verdict turns their findings into severities."""

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
