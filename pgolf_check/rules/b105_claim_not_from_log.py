"""B105: the claimed score is what the logs say of the artifact: one run's score, or the mean of the runs."""

from __future__ import annotations

from pgolf_check.model import Answer, Certainty, Finding, Severity, Witness
from pgolf_check.rules.answers import failed, not_analysed, not_applicable
from pgolf_check.rules.facts import Facts
from pgolf_check.rules.runs import is_record
from pgolf_check.stats.claims import Claim, Standing, headline, seed_claims

CODE = "B105"
UPHELD = frozenset({Standing.REPRODUCED, Standing.MEAN, Standing.UNLOGGED})


def check(facts: Facts) -> Answer:
    claim = headline(facts.submission)
    if claim is None:
        return not_applicable(CODE, "no score is claimed, see P102")
    if claim.standing is Standing.UNLOGGED:
        return not_analysed(CODE, "no log states a score of the finished model")
    findings = [] if claim.standing in UPHELD else [_finding(claim, _ceiling(facts, claim))]
    seeds = [c for c in seed_claims(facts.submission) if c.standing is Standing.BETTER and _gap(c) > facts.edition.claim_noise]
    return failed(CODE, [*findings, *(_finding(c, Severity.REVIEW) for c in seeds)])


def _gap(claim: Claim) -> float:
    """By how much the claim is better than the nearest logged score."""
    return claim.nearest - claim.value if claim.nearest is not None else 0.0


def _ceiling(facts: Facts, claim: Claim) -> Severity:
    """A record's claim better than every logged score, by more than runs differ, blocks; any other departure is left to a person."""
    better = claim.standing is Standing.BETTER and _gap(claim) > facts.edition.claim_noise
    return Severity.BLOCK if better and is_record(facts) else Severity.REVIEW


def _finding(claim: Claim, ceiling: Severity) -> Finding:
    nearest = f"; the nearest is {claim.nearest}" if claim.nearest is not None else ""
    told = f"the claimed {claim.name} {claim.value} is {claim.standing.value}{nearest}"
    return Finding(CODE, Witness.PAPER, Certainty.PROVEN, told, (claim.place, *claim.lines[:5]), ceiling=ceiling)
