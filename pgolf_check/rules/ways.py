"""The one test behind C101, C106 and D105: what became of the tokens on their way to the distributions of the claimed scores?

Each such trace is left where it happens, and every score keeps those of its prediction and of its targets; `records.Trace` lists them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from pgolf_check.model import Answer, Certainty, Event, Finding, Mixture, Step, Witness
from pgolf_check.rules.answers import failed
from pgolf_check.rules.facts import Facts
from pgolf_check.rules.order import report_step, undecided
from pgolf_check.static.facts import StaticRun

Traces = dict[str, list[Mixture]]
"""The traces of one score, by kind."""
Judged = tuple[str, Certainty, Mixture]
"""What is wrong with a score, how sure that is and where it happens."""


def decide(facts: Facts, rule: str, judge: Callable[[Traces], Judged | None]) -> Answer:
    """The answer of a rule that looks at each score of the claim alone."""
    runs = facts.static.runs if facts.static is not None else ()
    judged = ((run, [judge(by_kind(score)) for score in scores_of_claim(run)]) for run in runs)
    found = tuple(dict.fromkeys(finding for run, of_run in judged for finding in findings_of(run, rule, of_run)))
    return failed(rule, found) if found else undecided(facts, rule)


def by_kind(score: Event) -> Traces:
    """The traces of a score, by kind."""
    found: Traces = {}
    for trace in score.mixtures:
        found.setdefault(trace.kind, []).append(trace)
    return found


def scores_of_claim(run: StaticRun) -> tuple[Event, ...]:
    """The scores that the claimed figure is made of; none if the run claims nothing."""
    return run.claim.scores if run.claim is not None else ()


def findings_of(run: StaticRun, rule: str, judged: Sequence[Judged | None]) -> Iterator[Finding]:
    """One finding for each trace that shows something, of what was said of every score of the claim."""
    shown: set[Mixture] = set()
    for score, told in zip(scores_of_claim(run), judged, strict=True):
        if told is not None and told[2] not in shown and run.claim is not None:
            shown.add(told[2])
            yield _finding(run, rule, run.claim, score, told)


def _finding(run: StaticRun, rule: str, claim: Event, score: Event, judged: Judged) -> Finding:
    message, certainty, trace = judged
    return Finding(
        rule,
        Witness.STATIC,
        certainty if run.resolved or certainty is not Certainty.PROVEN else Certainty.LIKELY,
        f"{message} (configuration: {run.source})",
        (trace.location, score.location),
        (Step(trace.location, message), *score.through, Step(score.location, "the tokens are scored"), report_step(claim)),
        run.ceiling,
    )
