"""Findings of runs in which some tokens were drawn anew: losses that must not depend on these have changed."""

from __future__ import annotations

from pgolf_check.model import Answer, Certainty, Finding, Location, Step, Witness
from pgolf_check.rules.answers import failed


def with_changes(decided: Answer, score: Location, text: str, told: str) -> Answer:
    """What was decided without them, and that the losses taken at `score`, which the line `text` states, have changed."""
    steps = (Step(score, "the losses are taken"), Step(score, f"the score is reported: {text[:120]}"))
    finding = Finding(decided.rule, Witness.DYNAMIC, Certainty.PROVEN, told, (score,), steps)
    return failed(decided.rule, (*decided.findings, finding))
