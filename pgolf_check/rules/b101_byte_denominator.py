"""B101: the bytes that a log divides by are those of the full validation split."""

from __future__ import annotations

from pgolf_check.model import Answer, Figure
from pgolf_check.rules.answers import failed, not_analysed
from pgolf_check.rules.byte_accounts import Kind, account_findings, byte_accounts, byte_lines
from pgolf_check.rules.facts import Facts

CODE = "B101"


def check(facts: Facts) -> Answer:
    if not byte_lines(facts):
        return not_analysed(CODE, "no log states val_loss and val_bpb of the finished model on one line")
    accounts = byte_accounts(facts)
    if not accounts:
        return not_analysed(CODE, "no log states the number of validation tokens or a data set of the edition")
    counted = [round(a.implied) for a in accounts if a.split is None]
    full = facts.edition.validation.bytes
    figures = [Figure("implied_bytes", max(counted, key=lambda n: abs(n - full)), "bytes")] if counted else []
    return failed(CODE, account_findings(CODE, accounts, {Kind.WRONG}), figures)
