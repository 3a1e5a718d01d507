"""B103: where the tokens stand for a transformed text, the score divides by the bytes of the raw text, kept in a sidecar."""

from __future__ import annotations

from pgolf_check.model import Answer
from pgolf_check.rules.answers import failed, not_applicable
from pgolf_check.rules.byte_accounts import Kind, account_findings, byte_accounts
from pgolf_check.rules.facts import Facts

CODE = "B103"


def check(facts: Facts) -> Answer:
    transformed = {s.tokens for s in facts.edition.validation.splits if s.transformed_bytes is not None}
    accounts = [a for a in byte_accounts(facts) if a.logged.run.val_tokens in transformed]
    if not accounts:
        return not_applicable(CODE, "no log scores a split of the edition whose text was transformed")
    because = "; these are the bytes of the transformed text, and those of the raw text were needed"
    return failed(CODE, account_findings(CODE, accounts, {Kind.TRANSFORMED}, because))
