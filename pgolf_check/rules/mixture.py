"""The one test behind C102, C201, C202, C203 and B102: does the token being scored reach the claimed score by a way of its own?

A score is the logarithm of one entry of a distribution that was complete before the token was known, so the token may do one thing:
pick the entry. The rules differ in what else it does; see `records.Mixed` for the kinds.
"""

from __future__ import annotations

from collections.abc import Iterator

from pgolf_check.model import Answer, Certainty, Finding, Mixture, Step, Witness
from pgolf_check.rules.answers import failed
from pgolf_check.rules.facts import Facts
from pgolf_check.rules.order import report_step, undecided
from pgolf_check.static.facts import StaticRun

KINDS = {
    "key": "C201",
    "expert": "C201",
    "exact": "C202",
    "text": "C203",
    "spread": "C203",
    "shared": "C203",
    "gate": "C102",
    "tilt": "C102",
    "native": "C202",
    "space": "B102",
}
"""The rule that a mixture falls under, by its kind."""
MESSAGES = {
    "key": "a table is read at a hash of the token being scored, and what it holds there is mixed into the claimed score",
    "expert": "a term of the mixture behind the claimed score is no probability of the token being scored",
    "exact": "counts of the token being scored alone are mixed into the claimed score: that the mixture sums to 1 is not shown",
    "text": "a table is read at the bytes of the token being scored, and what it holds there is mixed into the claimed score",
    "spread": "the score of a token is divided over its bytes and mixed with a byte model: no distribution over next tokens",
    "shared": "C code divides the score of a token over its bytes and mixes it with a byte model: no distribution over next tokens",
    "native": "C code mixes scores with something it makes from the tokens: that the mixture sums to 1 is not shown",
    "space": "the bytes that the claimed score is divided by count the space before a word twice",
    "gate": "C code computes a hint or gate from the token being scored, and it changes the claimed score",
    "tilt": "a hint changes the claimed score for some tokens only, and the token being scored decides for which",
}
STEPS = {
    "key": "a table is read at a hash that contains the target",
    "expert": "a value that is no probability of the target joins the terms of a mixture",
    "exact": "the count of the target alone is read",
    "text": "a table is read at a key made from the target's bytes",
    "spread": "the score of a token is divided by its number of bytes",
    "shared": "a C function divides scores by a number that the token decides, and takes powers of them",
    "native": "a C function gets scores and tokens",
    "space": "a number of bytes that counts the space already gets one more for it",
    "gate": "an output of a C function depends on the token at its own position",
    "tilt": "the bonus for a right hint depends on what token the target is",
}


def decide(facts: Facts, rule: str) -> Answer:
    """The answer of one of the rules."""
    runs = facts.static.runs if facts.static is not None else ()
    found = tuple(f for run in runs for f in _of_run(run, rule))
    return failed(rule, found) if found else undecided(facts, rule)


def _of_run(run: StaticRun, rule: str) -> Iterator[Finding]:
    if run.claim is None:
        return
    for mixture in run.claim.mixtures:
        if KINDS.get(mixture.kind) == rule:
            yield _finding(run, mixture, rule)


def _certainty(run: StaticRun, mixture: Mixture) -> Certainty:
    """What C code computes is read by a small reader, and thresholds and weights that its gates meet later may switch them off."""
    if mixture.kind == "native" or (mixture.kind == "gate" and run.gates_off):
        return Certainty.POSSIBLE
    if mixture.kind in ("gate", "shared"):
        return Certainty.LIKELY
    return Certainty.PROVEN if run.resolved else Certainty.LIKELY


def _finding(run: StaticRun, mixture: Mixture, rule: str) -> Finding:
    assert run.claim is not None
    return Finding(
        rule,
        Witness.STATIC,
        _certainty(run, mixture),
        f"{MESSAGES[mixture.kind]} (configuration: {run.source})",
        (mixture.location,),
        (*mixture.through, Step(mixture.location, STEPS[mixture.kind]), report_step(run.claim)),
        run.ceiling,
    )
