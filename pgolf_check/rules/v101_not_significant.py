"""V101: a record beats the record that stood, by the test of the regime in force.

The record that stood depends on when the pull request was made. The folder and submission.json only claim a date, so that a finding
asks for review; it blocks where the reviewer named the day (`--as-of`).
"""

from __future__ import annotations

import datetime

from pgolf_check.model import Answer, Certainty, Figure, Finding, Location, Severity, Witness
from pgolf_check.rules.answers import failed, not_analysed, not_applicable
from pgolf_check.rules.edition import Record, Regime
from pgolf_check.rules.facts import Facts
from pgolf_check.rules.runs import is_record
from pgolf_check.rules.scores import Scores, moment, run_scores
from pgolf_check.stats.significance import Test, fixed_sigma, margin_bpb, standing, welch

CODE = "V101"


def check(facts: Facts) -> Answer:
    if not is_record(facts):
        return not_applicable(CODE, "only the record track is measured against the standing record")
    scores = run_scores(facts.submission)
    if scores is None:
        return not_analysed(CODE, "no log states a score of the finished model")
    folder, when = moment(facts)
    rival = standing(facts.edition.leaderboard, when, folder=folder)
    if rival is None:
        return not_applicable(CODE, "no record stood before it")
    test = compare(facts, scores, rival, regime(facts))
    figures = [
        Figure("standing_bpb", rival.mean_bpb, "bits per byte"),
        Figure("gain", round(test.gain, 8), "bits per byte"),
        Figure("p_value", round(test.p, 6)),
    ]
    return failed(CODE, [] if test.passed else [_finding(facts, scores, rival, test)], figures)


def regime(facts: Facts) -> Regime:
    """The test in force: the README's under `strict`, else the latest up to the day that the reviewer named."""
    first, *later = sorted(facts.edition.regimes, key=lambda r: r.since)
    if facts.profile == "strict":
        return first
    return [first, *(r for r in later if facts.as_of is None or r.since <= facts.as_of)][-1]


def compare(facts: Facts, scores: Scores, rival: Record, rules: Regime) -> Test:
    """The regime's test of the runs against the rival's: Welch's, or with the edition's deviation where a side has one run."""
    margin = margin_bpb(rules.margin_nats, scores.tokens_per_byte) if scores.tokens_per_byte else 0.0
    old = rival.seeds_bpb or (rival.mean_bpb,)
    if min(len(scores.values), len(old)) > 1:
        return welch(scores.values, old, margin=margin, level=rules.p)
    return fixed_sigma(scores.values, old, facts.edition.run_deviation, margin=margin, level=rules.p)


def _finding(facts: Facts, scores: Scores, rival: Record, test: Test) -> Finding:
    rules = regime(facts)
    verb = "improves" if test.gain > 0 else "does not improve"
    told = (
        f"the mean of {len(scores.values)} run(s), {scores.mean:.5f}, {verb} the mean of {rival.folder}, {rival.mean_bpb:.5f}, which stood "
        f"on {_day(facts)}: gain {test.gain:+.5f} bits per byte, p = {test.p:.3g}; p < {rules.p:g} with a margin of "
        f"{rules.margin_nats:g} nats per token is asked, and the test had a power of {test.power:.0%} for this gain"
    )
    ceiling = Severity.BLOCK if facts.as_of is not None else Severity.REVIEW
    places = tuple(line.location for line in scores.lines) or (Location(facts.submission.entry),)
    return Finding(CODE, Witness.PAPER, Certainty.PROVEN, told, places, ceiling=ceiling)


def _day(facts: Facts) -> datetime.date:
    return moment(facts)[1].date()
