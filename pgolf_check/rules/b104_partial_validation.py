"""B104: every document of the validation split is scored; a log that implies fewer bytes than the split has scored a part of it."""

from __future__ import annotations

from pgolf_check.model import Answer
from pgolf_check.rules.answers import failed, not_analysed
from pgolf_check.rules.byte_accounts import Kind, account_findings, byte_accounts
from pgolf_check.rules.facts import Facts

CODE = "B104"


def check(facts: Facts) -> Answer:
    accounts = [a for a in byte_accounts(facts) if a.split is None]
    if not accounts:
        return not_analysed(CODE, "no log states val_loss, val_bpb and the number of validation tokens of the finished model")
    return failed(CODE, account_findings(CODE, accounts, {Kind.SHORT}, "; a part of the split was scored"))
