"""C101: no position that is scored later takes part in the distribution of a claimed score.

The source shows attention without a causal mask and activations that are moved ahead; for everything else the dynamic witness draws the
tokens anew that a run scored last, and compares the losses before them.
"""

from __future__ import annotations

from pgolf_check.model import Answer, Certainty, Mixture
from pgolf_check.rules.facts import Facts
from pgolf_check.rules.redrawn import with_changes
from pgolf_check.rules.ways import Traces, decide

CODE = "C101"


def check(facts: Facts) -> Answer:
    decided = decide(facts, CODE, _ahead)
    flipped = facts.dynamic.flipped if facts.dynamic is not None else None
    if flipped is None or not flipped.changed:
        return decided
    count, largest = len(flipped.changed), max(abs(change.after - change.before) for change in flipped.changed)
    told = (
        f"{count:,} of {flipped.compared:,} losses change, by up to {largest:.2g} nats, where other tokens are put in the place of those "
        "that are scored after them"
    )
    return with_changes(decided, flipped.score, flipped.text, told)


def _ahead(traces: Traces) -> tuple[str, Certainty, Mixture] | None:
    """Where ids were replaced before the model read them, those to be scored may be among these."""
    if "ahead" not in traces:
        return None
    certainty = Certainty.POSSIBLE if "obscured" in traces else Certainty.LIKELY
    return "attention or a shift lets later positions into the distribution of the claimed score", certainty, traces["ahead"][0]
