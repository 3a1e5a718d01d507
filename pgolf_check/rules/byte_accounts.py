"""What the final lines of the logs imply about the bytes that they divide by; B101, B103 and B104 read it.

A line with val_loss and val_bpb implies tokens per byte = val_bpb * ln 2 / val_loss; with the logged token count it implies the
bytes, which are the same for every lossless tokenizer. Without a count the ratio is compared with the split of the data set.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Iterable
from dataclasses import dataclass

from pgolf_check.model import Certainty, Finding, Location, Severity, Witness
from pgolf_check.rules.edition import Split, Validation
from pgolf_check.rules.facts import Facts
from pgolf_check.rules.runs import LoggedRun, counted_runs
from pgolf_check.submission.model import FinalLine, Run


class Kind(enum.Enum):
    """What the implied bytes are."""

    RIGHT = "those of the full split"
    SHORT = "fewer than the split has"
    TRANSFORMED = "those of the split's transformed text"
    WRONG = "of no known text"


@dataclass(frozen=True, slots=True)
class Account:
    """The byte accounting of one final line: what it implies and what was expected, in bytes or in tokens per byte."""

    logged: LoggedRun
    final: FinalLine
    implied: float
    expected: float
    split: Split | None
    """The split whose ratio was compared; None where the bytes could be computed."""
    kind: Kind

    @property
    def error(self) -> float:
        return self.implied / self.expected - 1

    @property
    def certainty(self) -> Certainty:
        """How sure the two figures are of one distribution: another line may state the score alone, and this one a model's own loss."""
        own = self.final
        alone = any(f.val_loss is None and f.val_bpb == own.val_bpb and f.location != own.location for f in self.logged.run.finals)
        return Certainty.POSSIBLE if alone else Certainty.PROVEN if self.split is None else Certainty.LIKELY

    def told(self) -> str:
        """The line and what it implies."""
        final = self.final
        line = f"{self.logged.name}: {final.label!r} with val_bpb {final.val_bpb} and val_loss {final.val_loss} implies "
        if self.split is None:
            return f"{line}{self.implied:,.0f} bytes of validation text, {self.error:+.2%} off the {self.expected:,.0f} of the full split"
        return f"{line}{self.implied:.6f} tokens per byte, {self.error:+.2%} off the {self.expected:.6f} of {self.split.name}"


def byte_lines(facts: Facts) -> list[tuple[LoggedRun, FinalLine]]:
    """The final lines that state val_loss and val_bpb together."""
    return [(r, f) for r in counted_runs(facts.submission) for f in r.scores if f.val_loss and f.val_bpb > 0]


def byte_accounts(facts: Facts) -> list[Account]:
    """One account for each run and kind of outcome: of the lines from which it can be made, that with the most digits."""
    found: dict[tuple[Location, Kind], Account] = {}
    for logged, final in byte_lines(facts):
        account = _account(facts.edition.validation, logged, final)
        if account is None:
            continue
        key = Location(logged.log.path, logged.run.first_line), account.kind
        if key not in found or final.digits > found[key].final.digits:
            found[key] = account
    return list(found.values())


def account_findings(code: str, accounts: list[Account], kinds: Iterable[Kind], because: str = "") -> list[Finding]:
    """One finding for each account of these kinds; a note where the claimed run's own account is right."""
    chosen = frozenset(kinds)
    claimed = [a for a in accounts if a.logged.claimed]
    claim_is_right = bool(claimed) and all(a.kind is Kind.RIGHT for a in claimed)
    found = []
    for account in accounts:
        if account.kind in chosen:
            told = f"{account.told()}{because}" + ("; not the claimed run" if claim_is_right else "")
            if account.certainty is Certainty.POSSIBLE:
                told += "; another line states this score without a loss, so that the loss may be that of another distribution"
            ceiling = Severity.NOTE if claim_is_right else Severity.BLOCK
            found.append(Finding(code, Witness.PAPER, account.certainty, told, (account.final.location,), ceiling=ceiling))
    return found


def _account(validation: Validation, logged: LoggedRun, final: FinalLine) -> Account | None:
    """What a line implies; None if its loss is stated per byte, or if nothing tells how many tokens there are."""
    run, room = logged.run, validation.tolerance + _rounding(final)
    ratio = final.val_bpb * math.log(2) / (final.val_loss or math.nan)
    if run.val_tokens:
        split = next((s for s in validation.splits if s.tokens == run.val_tokens), None)
        implied, expected = run.val_tokens / ratio, split.bytes if split is not None else validation.bytes
        kind = _kind(implied, expected, split, room)
        per_byte = kind is not Kind.RIGHT and _near(ratio, 1.0, room)
        return None if per_byte else Account(logged, final, implied, expected, None, kind)
    named = _named_split(validation, run)
    if named is None:
        return None
    right = _near(ratio, named.tokens_per_byte, room)
    return Account(logged, final, ratio, named.tokens_per_byte, named, Kind.RIGHT if right else Kind.WRONG)


def _rounding(final: FinalLine) -> float:
    """How far the printed digits alone can move the ratio."""
    half = 0.5 * 10.0**-final.digits
    return half / final.val_bpb + half / (final.val_loss or 1.0)


def _kind(implied: float, expected: int, split: Split | None, room: float) -> Kind:
    if _near(implied, expected, room):
        return Kind.RIGHT
    if split is not None and split.transformed_bytes is not None and _near(implied, split.transformed_bytes, room):
        return Kind.TRANSFORMED
    return Kind.SHORT if implied < expected else Kind.WRONG


def _near(value: float, expected: float, room: float) -> bool:
    return abs(value / expected - 1) <= room


def _named_split(validation: Validation, run: Run) -> Split | None:
    """The published split that the run's data folder is."""
    parts = run.dataset.replace("\\", "/").split("/")
    return next((s for s in validation.splits if s.dataset and s.dataset in parts), None)
