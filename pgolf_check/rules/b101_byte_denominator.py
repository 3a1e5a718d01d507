"""B101: the bytes that a log divides by are those of the full validation split.

A line with val_loss and val_bpb implies tokens per byte = val_bpb * ln 2 / val_loss; with the logged token count it implies the
bytes, which are the same for every lossless tokenizer. Without a count the ratio is compared with the split of the data set.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from pgolf_check.model import Answer, Certainty, Figure, Finding, Severity, Witness
from pgolf_check.rules.answers import failed, not_analysed
from pgolf_check.rules.edition import Split
from pgolf_check.rules.facts import Facts
from pgolf_check.rules.runs import LoggedRun, counted_runs
from pgolf_check.submission.model import FinalLine, Run

CODE = "B101"


@dataclass(frozen=True, slots=True)
class Account:
    """The byte accounting of one final line: what it implies and what was expected, in bytes or in tokens per byte."""

    logged: LoggedRun
    final: FinalLine
    implied: float
    expected: float
    split: Split | None
    """The split whose ratio was compared; None where the bytes could be computed."""

    @property
    def error(self) -> float:
        return self.implied / self.expected - 1

    @property
    def rounding(self) -> float:
        """How far the printed digits alone can move the ratio."""
        loss, half = self.final.val_loss or 1.0, 0.5 * 10.0**-self.final.digits
        return half / self.final.val_bpb + half / loss

    def told(self) -> str:
        if self.split is None:
            return f"{self.implied:,.0f} bytes of validation text, {self.error:+.2%} off the {self.expected:,.0f} of the full split"
        return f"{self.implied:.6f} tokens per byte, {self.error:+.2%} off the {self.expected:.6f} of {self.split.name}"


def check(facts: Facts) -> Answer:
    lines = [(r, f) for r in counted_runs(facts.submission) for f in r.scores if f.val_loss and f.val_bpb > 0]
    if not lines:
        return not_analysed(CODE, "no log states val_loss and val_bpb of the finished model on one line")
    accounts = [a for r, f in lines if (a := _account(facts, r, f)) is not None]
    if not accounts:
        return not_analysed(CODE, "no log states the number of validation tokens or a data set of the edition")
    tolerance = facts.edition.validation.tolerance
    wrong = [a for a in accounts if abs(a.error) > tolerance + a.rounding]
    counted = [round(a.implied) for a in accounts if a.split is None]
    figures = (
        [Figure("implied_bytes", max(counted, key=lambda n: abs(n - facts.edition.validation.bytes)), "bytes")] if counted else []
    )
    return failed(CODE, [_finding(a, claims_differ=_claim_is_right(accounts, wrong)) for a in wrong], figures)


def _account(facts: Facts, logged: LoggedRun, final: FinalLine) -> Account | None:
    validation, run = facts.edition.validation, logged.run
    ratio = final.val_bpb * math.log(2) / (final.val_loss or math.nan)
    if run.val_tokens:
        split = next((s for s in validation.splits if s.tokens == run.val_tokens), None)
        return Account(logged, final, run.val_tokens / ratio, split.bytes if split is not None else validation.bytes, None)
    named = _named_split(facts, run)
    return Account(logged, final, ratio, named.tokens_per_byte, named) if named is not None else None


def _named_split(facts: Facts, run: Run) -> Split | None:
    """The published split that the run's data folder is."""
    parts = run.dataset.replace("\\", "/").split("/")
    return next((s for s in facts.edition.validation.splits if s.dataset and s.dataset in parts), None)


def _claim_is_right(accounts: list[Account], wrong: list[Account]) -> bool:
    """Whether the claimed score is stated by lines that are all right."""
    claimed = [a for a in accounts if a.logged.claimed]
    return bool(claimed) and not any(a.logged.claimed for a in wrong)


def _finding(account: Account, *, claims_differ: bool) -> Finding:
    final = account.final
    message = f"{account.logged.name}: {final.label!r} with val_bpb {final.val_bpb} and val_loss {final.val_loss} implies {account.told()}"
    certainty = Certainty.PROVEN if account.split is None else Certainty.LIKELY
    if claims_differ:
        return Finding(CODE, Witness.PAPER, certainty, f"{message}; not the claimed run", (final.location,), ceiling=Severity.NOTE)
    return Finding(CODE, Witness.PAPER, certainty, message, (final.location,))
