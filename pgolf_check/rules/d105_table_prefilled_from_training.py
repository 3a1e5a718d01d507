"""D105: a table of counts that the claimed score is made with comes from scored text or from the artifact, not from training shards."""

from __future__ import annotations

from pgolf_check.model import Answer, Certainty, Mixture
from pgolf_check.rules.facts import Facts
from pgolf_check.rules.ways import Traces, decide

CODE = "D105"


def check(facts: Facts) -> Answer:
    return decide(facts, CODE, _prefilled)


def _prefilled(traces: Traces) -> tuple[str, Certainty, Mixture] | None:
    if "prefilled" not in traces:
        return None
    told = "a table that was filled from training shards, and is not in the artifact, takes part in the claimed score"
    return told, Certainty.PROVEN, traces["prefilled"][0]
