"""C101: no position that is scored later takes part in the distribution of a claimed score.

The source shows attention without a causal mask and activations that are moved ahead; everything else is for the dynamic witness.
"""

from __future__ import annotations

from pgolf_check.model import Answer, Certainty, Mixture
from pgolf_check.rules.facts import Facts
from pgolf_check.rules.ways import Traces, decide

CODE = "C101"


def check(facts: Facts) -> Answer:
    return decide(facts, CODE, _ahead)


def _ahead(traces: Traces) -> tuple[str, Certainty, Mixture] | None:
    """Where ids were replaced before the model read them, those to be scored may be among these."""
    if "ahead" not in traces:
        return None
    certainty = Certainty.POSSIBLE if "obscured" in traces else Certainty.LIKELY
    return "attention or a shift lets later positions into the distribution of the claimed score", certainty, traces["ahead"][0]
