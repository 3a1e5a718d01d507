"""B104: every document of the validation split is scored; a log that implies fewer bytes than the split has scored a part of it.

Where no log tells the number of tokens, the source may show a split that is cut at a number or sampled. That is for review where no log tells
the settings of the run, since it may have replaced the number.
"""

from __future__ import annotations

from dataclasses import replace

from pgolf_check.model import Answer, Certainty, Mixture, Severity, Witness
from pgolf_check.rules.answers import failed, not_analysed
from pgolf_check.rules.byte_accounts import Kind, account_findings, byte_accounts
from pgolf_check.rules.facts import Facts
from pgolf_check.rules.order import undecided
from pgolf_check.rules.ways import Judged, Traces, by_kind, findings_of, scores_of_claim
from pgolf_check.static.configuration import LOG
from pgolf_check.static.facts import StaticRun

CODE = "B104"
RANK = (Severity.BLOCK, Severity.REVIEW, Severity.NOTE)


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
    judged = ((run, _judged(run, fewest, facts.edition.hardware.count)) for run in runs)
    found = tuple(dict.fromkeys(finding for run, of_run in judged for finding in findings_of(run, CODE, of_run)))
    if found:
        return failed(CODE, found)
    if facts.static is not None and Witness.PAPER not in facts.witnesses:
        return undecided(facts, CODE)
    return not_analysed(CODE, "no log states val_loss, val_bpb and the number of validation tokens of the finished model")


def _judged(run: StaticRun, fewest: int, ranks: int) -> list[Judged | None]:
    """What each score of the claim shows.

    A number that the log of the run leaves in force is the one that it ran with; what a part of the scores shows may not be all of them.
    """
    scores = [by_kind(score) for score in scores_of_claim(run)]
    ends = [_end(traces, fewest, ranks) for traces in scores]
    whole = all(end is not None for end in ends)
    sure = Certainty.LIKELY if whole and run.source == LOG else Certainty.POSSIBLE
    return [
        (end[0], sure, end[1]) if end is not None and (whole or end[1].kind == "capped") else _sampled(traces)
        for traces, end in zip(scores, ends, strict=True)
    ]


def _end(traces: Traces, fewest: int, ranks: int) -> tuple[str, Mixture] | None:
    """Where the targets of a score end before any split of the edition does; a bound is one of what a rank scores."""
    for trace in traces.get("capped", ()):
        if int(trace.detail) < fewest:
            return f"the validation tokens that are scored are cut at {int(trace.detail):,}", trace
    for trace in traces.get("bounded", ()):
        if int(trace.detail) * ranks < fewest:
            return f"a rank scores none but the first {int(trace.detail):,} validation tokens", trace
    return None


def _sampled(traces: Traces) -> Judged | None:
    if "sampled" not in traces:
        return None
    return "the validation tokens that are scored are chosen by random numbers", Certainty.POSSIBLE, traces["sampled"][0]
