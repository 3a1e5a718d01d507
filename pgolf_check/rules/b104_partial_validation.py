"""B104: every document of the validation split is scored; a log that implies fewer bytes than the split has scored a part of it.

Where no log tells the number of tokens, the source may show a split that is cut at a number or sampled. That is for review where no log tells
the settings of the run, since it may have replaced the number.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from pgolf_check.model import Answer, Certainty, Finding, Mixture, Severity, Witness
from pgolf_check.rules.answers import failed, not_analysed
from pgolf_check.rules.byte_accounts import Kind, account_findings, byte_accounts
from pgolf_check.rules.facts import Facts
from pgolf_check.rules.order import undecided
from pgolf_check.rules.ways import Traces, by_kind, way_finding
from pgolf_check.static.configuration import LOG
from pgolf_check.static.facts import StaticRun

CODE = "B104"
RANK = (Severity.BLOCK, Severity.REVIEW, Severity.NOTE)
RANKS = 8
"""Processes among which a run may divide the split."""


def check(facts: Facts) -> Answer:
    accounts = [a for a in byte_accounts(facts) if a.split is None] if Witness.PAPER in facts.witnesses else []
    if not accounts:
        return _by_source(facts)
    findings = account_findings(CODE, accounts, {Kind.SHORT}, "; a part of the split was scored")
    if all(a.error >= -facts.edition.validation.tail for a in accounts):
        findings = [replace(f, ceiling=max(f.ceiling, Severity.REVIEW, key=RANK.index)) for f in findings]
    return failed(CODE, findings)


def _by_source(facts: Facts) -> Answer:
    """What the scores of the claim tell of their targets; the rule stays undecided where they tell nothing."""
    fewest = min((split.tokens for split in facts.edition.validation.splits), default=0)
    runs = facts.static.runs if facts.static is not None else ()
    found = tuple(dict.fromkeys(finding for run in runs for finding in _of_run(run, fewest)))
    if found:
        return failed(CODE, found)
    if facts.static is not None and Witness.PAPER not in facts.witnesses:
        return undecided(facts, CODE)
    return not_analysed(CODE, "no log states val_loss, val_bpb and the number of validation tokens of the finished model")


def _of_run(run: StaticRun, fewest: int) -> Iterator[Finding]:
    """A number that the log of the run leaves in force is the one that it ran with; what a part of the scores shows may not be all of them."""
    claim = run.claim
    scores = claim.scores if claim is not None else ()
    parts = [_end(by_kind(score), fewest) for score in scores]
    whole = all(part is not None for part in parts)
    certainty = Certainty.LIKELY if whole and run.source == LOG else Certainty.POSSIBLE
    shown: set[Mixture] = set()
    for score, part in zip(scores, parts, strict=True):
        assert claim is not None
        told = (part if whole or part is None or part[1].kind == "capped" else None) or _sampled(by_kind(score))
        if told is not None and told[1] not in shown:
            shown.add(told[1])
            sure = certainty if told is part else Certainty.POSSIBLE
            yield way_finding(run, CODE, claim, score, (told[0], sure, told[1]))


def _end(traces: Traces, fewest: int) -> tuple[str, Mixture] | None:
    """Where the targets of a score end before any split of the edition does; a bound is one of what a rank scores."""
    for trace in traces.get("capped", ()):
        if int(trace.detail) < fewest:
            return f"the validation tokens that are scored are cut at {int(trace.detail):,}", trace
    for trace in traces.get("bounded", ()):
        if int(trace.detail) * RANKS < fewest:
            return f"a rank scores none but the first {int(trace.detail):,} validation tokens", trace
    return None


def _sampled(traces: Traces) -> tuple[str, Mixture] | None:
    if "sampled" not in traces:
        return None
    return "the validation tokens that are scored are chosen by random numbers", traces["sampled"][0]
