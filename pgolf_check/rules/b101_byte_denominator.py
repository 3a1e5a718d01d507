"""B101: the bytes that a log divides by are those of the full validation split.

A shipped tokenizer that has no piece for a space alone cuts it into three byte pieces, and a count of a byte for each is too large: that is
told as the reason where a log implies too many bytes, and asks for review where no log tells.
"""

from __future__ import annotations

from pgolf_check.model import Answer, Certainty, Figure, Finding, Location, Witness
from pgolf_check.rules.answers import failed, joined, not_analysed
from pgolf_check.rules.byte_accounts import Kind, account_findings, byte_accounts, byte_lines
from pgolf_check.rules.facts import Facts
from pgolf_check.stats.pieces import read_pieces

CODE = "B101"
SPLITS = "has no piece for a space alone, which becomes three byte pieces"


def check(facts: Facts) -> Answer:
    accounts = byte_accounts(facts)
    if not accounts:
        return joined(CODE, not_analysed(CODE, _untold(facts)), failed(CODE, [_unproven(path) for path in _splitting(facts)]))
    counted = [round(a.implied) for a in accounts if a.split is None]
    full = facts.edition.validation.bytes
    figures = [Figure("implied_bytes", max(counted, key=lambda n: abs(n - full)), "bytes")] if counted else []
    because = "".join(f"; {path} {SPLITS}" for path in _splitting(facts))
    return failed(CODE, account_findings(CODE, accounts, {Kind.WRONG}, because), figures)


def _untold(facts: Facts) -> str:
    if not byte_lines(facts):
        return "no log states val_loss and val_bpb of the finished model on one line"
    return "no log states the number of validation tokens or a data set of the edition"


def _splitting(facts: Facts) -> list[str]:
    """The shipped tokenizers that cut a space into bytes."""
    found = []
    for file in facts.submission.files:
        table = read_pieces(file.data) if file.path.endswith(".model") and file.data is not None else None
        if table is not None and table.splits_spaces():
            found.append(file.path)
    return found


def _unproven(path: str) -> Finding:
    told = f"{path} {SPLITS}; no log shows that their bytes are counted as one"
    return Finding(CODE, Witness.PAPER, Certainty.POSSIBLE, told, (Location(path),))
