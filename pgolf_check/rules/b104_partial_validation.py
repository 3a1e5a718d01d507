"""B104: every document of the validation split is scored; a log that implies fewer bytes than the split has scored a part of it.

Where no log tells the number of tokens, the source may show a split that is cut at a number or sampled. That is for review: the number may
be a setting that the run replaced.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from pgolf_check.model import Answer, Certainty, Mixture, Severity, Status, Witness
from pgolf_check.rules.answers import failed, not_analysed
from pgolf_check.rules.byte_accounts import Kind, account_findings, byte_accounts
from pgolf_check.rules.facts import Facts
from pgolf_check.rules.ways import Traces, decide

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
    answer = decide(facts, CODE, lambda traces: _part(traces, fewest)) if facts.static is not None else None
    if answer is not None and (answer.status is Status.FAIL or Witness.PAPER not in facts.witnesses):
        return answer
    return not_analysed(CODE, "no log states val_loss, val_bpb and the number of validation tokens of the finished model")


def _part(traces: Traces, fewest: int) -> tuple[str, Certainty, Mixture] | None:
    for trace in _below(traces, fewest):
        return f"the validation tokens that are scored are cut at {int(trace.detail):,}", Certainty.POSSIBLE, trace
    if "sampled" in traces:
        return "the validation tokens that are scored are chosen by random numbers", Certainty.POSSIBLE, traces["sampled"][0]
    return None


def _below(traces: Traces, fewest: int) -> Iterator[Mixture]:
    """The cuts at fewer tokens than any split of the edition has."""
    return (trace for trace in traces.get("capped", ()) if int(trace.detail) < fewest)
