"""What the final lines of a log say of a canary shard that its run scored."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pgolf_check.dynamic.canary import ALPHA, Evidence, Exposure, combined, evidence, may_be_bfloat16, most_nats
from pgolf_check.dynamic.shard import Canary
from pgolf_check.errors import UserError
from pgolf_check.submission.logs import read_log
from pgolf_check.submission.model import FinalLine

LOSS = re.compile(r"\b(?:val_)?loss\s*[:=]\s*(\d+\.(\d+))")


@dataclass(frozen=True, slots=True)
class Line:
    """A final line with its mean loss; `evidence` is None where the loss may be that of a bfloat16, which proves nothing."""

    number: int
    text: str
    loss: float
    evidence: Evidence | None


@dataclass(frozen=True, slots=True)
class Judgement:
    """The lines of a log, the mean of their e-values, and whether that convicts."""

    lines: tuple[Line, ...]
    total: Evidence
    convicts: bool


def judge_log(path: Path, canary: Canary, exposure: Exposure, alpha: float = ALPHA) -> Judgement:
    """Every final line with a loss, and their e-values together.

    Raises UserError if the file is no log, or states no loss with decimals that is certainly no bfloat16.
    """
    try:
        log = read_log(path.name, path.read_bytes())
    except OSError as error:
        raise UserError(f"{path}: the log cannot be read: {error.strerror}") from error
    finals = [final for run in (log.runs if log is not None else ()) for final in run.finals]
    lines = tuple(_judged(finals, canary, exposure, alpha))
    usable = [line.evidence for line in lines if line.evidence is not None]
    if not usable:
        raise UserError(
            f"{path}: no final line states a loss of more digits than a bfloat16 has: expected val_loss:6.93147181 or alike"
        )
    total = combined(usable)
    return Judgement(lines, total, total.convicts(alpha))


def _judged(finals: list[FinalLine], canary: Canary, exposure: Exposure, alpha: float) -> Iterator[Line]:
    for final in finals:
        stated = LOSS.search(final.text)
        if stated is None:
            continue
        loss, digits = float(stated.group(1)), len(stated.group(2))
        nats = most_nats(loss, digits, exposure)
        weak = may_be_bfloat16(loss, digits)
        found = None if weak else evidence(nats, canary.layout.alphabet, exposure, alpha=alpha)
        yield Line(final.location.line, final.text.strip(), loss, found)
