"""B104: every document of the validation split is scored; a log that implies fewer bytes than the split has scored a part of it."""

from __future__ import annotations

from dataclasses import replace

from pgolf_check.model import Answer, Severity
from pgolf_check.rules.answers import failed, not_analysed
from pgolf_check.rules.byte_accounts import Kind, account_findings, byte_accounts
from pgolf_check.rules.facts import Facts

CODE = "B104"
RANK = (Severity.BLOCK, Severity.REVIEW, Severity.NOTE)


def check(facts: Facts) -> Answer:
    accounts = [a for a in byte_accounts(facts) if a.split is None]
    if not accounts:
        return not_analysed(CODE, "no log states val_loss, val_bpb and the number of validation tokens of the finished model")
    findings = account_findings(CODE, accounts, {Kind.SHORT}, "; a part of the split was scored")
    if all(a.error >= -facts.edition.validation.tail for a in accounts):
        findings = [replace(f, ceiling=max(f.ceiling, Severity.REVIEW, key=RANK.index)) for f in findings]
    return failed(CODE, findings)
