"""Which REPORT of a run is the claimed score.

The headline of submission.json names final lines of the logs, and these the statement that printed them. Where they do not, every statement
that printed a final line may be the claim.
"""

from __future__ import annotations

import re
import statistics
from collections.abc import Container, Sequence

from pgolf_check.model import Event
from pgolf_check.submission.model import FinalLine, Submission

TOLERANCE = 1e-5
SCORE = re.compile("bpb", re.IGNORECASE)
FEWEST_DIGITS = 4
"""Headlines with fewer decimals are taken to have lost zeros."""
NEAR = 0.05
"""Bits per byte: further apart lie different ways to score, not runs of one."""
PICKED = ("key", "text", "spread", "shared", "expert", "tilt")
"""Kinds of mixtures that the token being scored decides, whatever gates they pass."""


def claimed_lines(submission: Submission) -> list[FinalLine]:
    """The final lines of the logs that state the claimed score; empty if none does.

    They equal the headline, or a seed's result where the headline is the mean of such, or have a common label with the headline as mean.
    """
    finals = final_lines(submission)
    metadata = submission.metadata
    claim = metadata.val_bpb if metadata is not None else None
    if metadata is None or claim is None:
        usable = [f for f in finals if not f.diagnostic]
        return [min(usable, key=lambda f: f.val_bpb)] if usable else []
    equal = [f for f in finals if _same(f, claim)]
    if equal:
        return equal
    seeds = [f for value in metadata.seed_bpb.values() for f in finals if _same(f, value)]
    if seeds and abs(statistics.fmean(metadata.seed_bpb.values()) - claim) <= _tolerance(claim):
        return seeds
    return _with_mean(submission, claim)


def final_lines(submission: Submission) -> list[FinalLine]:
    """Every line of the logs that states a score of a finished model."""
    return [f for log in submission.logs for run in log.runs for f in run.finals]


def _with_mean(submission: Submission, claim: float) -> list[FinalLine]:
    """The lines of one label whose mean over all runs, or over the last run of every log, is the claim."""
    everything = final_lines(submission)
    last = [f for log in submission.logs for run in log.runs[-1:] for f in run.finals]
    for lines in (everything, last):
        for label in dict.fromkeys(f.label for f in lines):
            found = [f for f in lines if f.label == label]
            if len(found) > 1 and abs(statistics.fmean(f.val_bpb for f in found) - claim) <= max(
                _tolerance(claim), _rounding(found[0])
            ):
                return found
    return []


def _same(final: FinalLine, value: float) -> bool:
    return abs(final.val_bpb - value) <= max(_tolerance(value), _rounding(final))


def _rounding(final: FinalLine) -> float:
    return 0.6 * 10.0**-final.digits if final.digits else TOLERANCE


def _tolerance(value: float) -> float:
    """How far a printed number may lie from the one that it stands for: 1e-5, or more if it has fewer than five decimals."""
    digits = max(len(repr(value).partition(".")[2]), FEWEST_DIGITS)
    return max(TOLERANCE, 0.6 * 10.0**-digits)


def find_claim(reports: Sequence[Event], submission: Submission, picked: Container[str] = PICKED) -> tuple[Event | None, bool]:
    """(the REPORT of the claim, whether that is sure); `picked` are the kinds of mixtures that the token being scored decides.

    It is sure if a claimed line was printed by it, if there are no logs and it is the last REPORT, or if every REPORT that may have printed
    it holds a score that is too good: then the claim does, whichever it is.
    """
    claimed = _printed_by(reports, claimed_lines(submission))
    if claimed:
        return claimed[0], True
    if not reports:
        return None, False
    candidates = _printed_by(reports, _possible(submission)) or _unnamed(reports, submission)
    if candidates:
        return candidates[0], all(too_good(report, picked) for report in candidates)
    return reports[-1], not any(log.runs for log in submission.logs)


def possible_lines(submission: Submission) -> list[FinalLine]:
    """The lines that state the claim; where none does, the best of those that it may rest on."""
    return claimed_lines(submission) or _possible(submission)[:1]


def _possible(submission: Submission) -> list[FinalLine]:
    """The final lines that a headline which none of them states may rest on, best first: those that are as good, or near the best."""
    finals = sorted((f for f in final_lines(submission) if not f.diagnostic), key=lambda f: f.val_bpb)
    claim = submission.metadata.val_bpb if submission.metadata is not None else None
    as_good = [f for f in finals if claim is not None and f.val_bpb <= claim + _tolerance(claim)]
    return as_good or [f for f in finals if f.val_bpb <= finals[0].val_bpb + NEAR]


def _unnamed(reports: Sequence[Event], submission: Submission) -> list[Event]:
    """The REPORTs of a score, outside of loops, that printed no final line of the logs, the last one first.

    A claimed line that no REPORT printed came from one of them, if the wording was changed after the run.
    """
    lines = final_lines(submission)
    final = [r for r in reports if lines and not r.loop and SCORE.search(literal(r.text))]
    return [r for r in reversed(final) if not any(matches(r.text, line.text) for line in lines)]


def _printed_by(reports: Sequence[Event], lines: Sequence[FinalLine]) -> list[Event]:
    """The REPORTs that printed the lines, in their order; of several for one line, that with most text of its own."""
    found: dict[int, Event] = {}
    for line in lines:
        matching = [r for r in reports if matches(r.text, line.text)]
        if matching:
            best = max(matching, key=lambda r: (len(literal(r.text)), r.order))
            found.setdefault(best.order, best)
    return list(found.values())


def too_good(report: Event, picked: Container[str] = PICKED) -> bool:
    """Whether a score was computed with a state that had seen its tokens, chosen among several, or mixed with what the target picked."""
    return (
        bool(report.best_of)
        or any(m.kind in picked for m in report.mixtures)
        or any(update.overlaps(score) for score in report.scores for update in score.seen)
    )


def matches(template: str, line: str) -> bool:
    """Whether a printed text with holes can be the log line; it must have some letters of its own."""
    if len(re.sub(r"[^A-Za-z]", "", literal(template))) < 3:
        return False
    pattern = ".*?".join(re.escape(part) for part in template.strip().split("{}"))
    return re.search(pattern, line) is not None


def literal(template: str) -> str:
    return template.replace("{}", "")
