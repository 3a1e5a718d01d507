"""The one test behind C101, C106 and D105: what became of the tokens on their way to the distributions of the claimed scores?

Each such trace is left where it happens, and every score keeps those of its prediction and of its targets; `records.Trace` lists them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from pgolf_check.model import Answer, Certainty, Event, Finding, Mixture, Step, Witness
from pgolf_check.rules.answers import failed
from pgolf_check.rules.facts import Facts
from pgolf_check.rules.order import report_step, undecided
from pgolf_check.static.facts import StaticRun

Traces = dict[str, list[Mixture]]
"""The traces of one score, by kind."""


def decide(facts: Facts, rule: str, judge: Callable[[Traces], tuple[str, Certainty, Mixture] | None]) -> Answer:
    """The answer of a rule that looks at each score alone: what is wrong with it, how sure that is and where it happens; None if nothing is."""
    runs = facts.static.runs if facts.static is not None else ()
    found = tuple(dict.fromkeys(finding for run in runs for finding in _of_run(run, rule, judge)))
    return failed(rule, found) if found else undecided(facts, rule)


def by_kind(score: Event) -> Traces:
    """The traces of a score, by kind."""
    found: Traces = {}
    for trace in score.mixtures:
        found.setdefault(trace.kind, []).append(trace)
    return found


def _of_run(run: StaticRun, rule: str, judge: Callable[[Traces], tuple[str, Certainty, Mixture] | None]) -> Iterator[Finding]:
    claim = run.claim
    shown: set[Mixture] = set()
    for score in claim.scores if claim is not None else ():
        assert claim is not None
        judged = judge(by_kind(score))
        if judged is None or judged[2] in shown:
            continue
        shown.add(judged[2])
        yield way_finding(run, rule, claim, score, judged)


def way_finding(run: StaticRun, rule: str, claim: Event, score: Event, judged: tuple[str, Certainty, Mixture]) -> Finding:
    """The finding on a score of the claim: its message, how sure it is, and the trace that shows it."""
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
