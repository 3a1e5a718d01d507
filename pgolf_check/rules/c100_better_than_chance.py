"""C100: random tokens are not scored below their entropy."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pgolf_check.dynamic.canary import ALPHA
from pgolf_check.model import Answer, Certainty, Figure, Finding, Location, Step, Witness
from pgolf_check.rules.answers import failed, not_analysed
from pgolf_check.rules.facts import Facts

if TYPE_CHECKING:
    from pgolf_check.dynamic.facts import DynamicFacts
    from pgolf_check.dynamic.harness.trial import Trial

CODE = "C100"


def check(facts: Facts) -> Answer:
    found = facts.dynamic
    if found is None:
        return not_analysed(CODE, "the dynamic witness gave no facts")
    if found.problem:
        return not_analysed(CODE, f"{found.script} could not be run: {found.problem}")
    return failed(CODE, _findings(found), _figures(found))


def _findings(found: DynamicFacts) -> Iterator[Finding]:
    evidence = found.evidence
    if evidence is None or not evidence.convicts():
        return
    place = Location(found.script)
    message = (
        f"random tokens ({_streams(found)}) are scored better than any legal scorer does but with a "
        f"probability of {ALPHA:g}: the e-value of the losses is 10^{evidence.log10:,.0f} ({found.contained})"
    )
    trace = tuple(step for trial in found.ran for step in _steps(trial, place))
    yield Finding(CODE, Witness.DYNAMIC, Certainty.PROVEN, message, (place,), trace)


def _streams(found: DynamicFacts) -> str:
    layouts = dict.fromkeys(trial.ran.layout for trial in found.ran if trial.ran is not None)
    return "; ".join(f"{layout.random:,} of {layout.alphabet:,} symbols" for layout in layouts)


def _steps(trial: Trial, place: Location) -> Iterator[Step]:
    assert trial.ran is not None
    variables = " ".join(f"{name}={value}" for name, value in sorted(trial.ran.variables.items()))
    yield Step(place, f"the {trial.probe} probe runs with {variables}")
    for stated in trial.stated:
        yield Step(
            place,
            f"line {stated.line} of its output states a loss of {stated.loss:.8f}: log10 e-value {stated.evidence.log10:,.1f}",
        )


def _figures(found: DynamicFacts) -> Iterator[Figure]:
    evidence = found.evidence
    assert evidence is not None
    yield Figure("log10_e", round(evidence.log10, 2))
    yield Figure("lowest_loss", min(stated.loss for trial in found.ran for stated in trial.stated), "nats")
    yield Figure("ran", "; ".join(f"{trial.probe}: {trial.ran.name}" for trial in found.ran if trial.ran is not None))
    yield Figure("contained_by", found.contained)
    cut = "; ".join(f"{trial.probe}: {trial.cut_short}" for trial in found.ran if trial.cut_short)
    if cut:
        yield Figure("cut_short", cut)
