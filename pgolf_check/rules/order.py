"""The one test behind C103, C104, C105, C301, C302, C402, D101 and D104: was a claimed score computed with states that had seen its targets?

A SCORE is legal if its regions are disjoint from those of every UPDATE that its states had seen. Which rule a breach falls under
depends on what had happened to the tokens before the update: nothing that counts (C301), a score in an earlier pass of a loop that holds
both acts (C302), or a score of the pass that updates, or one that the claim is also made from (C402). An update that is the run's first
training is D101; one that is no step, but writes what was computed from the tokens into a module, is D104. A parameter made for the window that it is
then scored with is C103, or C104 if the step's loss ends where the score begins. Where the rows of an adapter were exchanged after its steps, it is C105.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import takewhile
from typing import TYPE_CHECKING

from pgolf_check.model import Answer, Certainty, Event, Finding, Location, Severity, Step, Witness
from pgolf_check.rules.answers import failed, not_analysed, passed
from pgolf_check.rules.facts import Facts
from pgolf_check.static.facts import StaticRun

if TYPE_CHECKING:
    from pgolf_check.dynamic.harness.trial import Trial
    from pgolf_check.dynamic.trace.breaches import Traced

UPDATE_VERBS = {
    "training": "the training of {state} uses these tokens",
    "gradient": "an optimizer step trains {state} on these tokens",
    "write": "values computed from these tokens are written into {state}",
    "count": "these tokens are entered into {state}",
}


PLAIN_STATES = ("parameter", "table")
"""States that are no module."""


@dataclass(frozen=True, slots=True)
class Breach:
    """A claimed score whose state had seen its targets, with the rule that it falls under."""

    rule: str
    run: StaticRun
    report: Event
    score: Event
    update: Event


def breaches(facts: Facts) -> Iterator[Breach]:
    """Every breach of the order in the claim of every run, one per place of update and score: that of the run that weighs most."""
    shown: set[tuple[str, Location, Location]] = set()
    for run in sorted(facts.static.runs if facts.static is not None else (), key=lambda run: run.ceiling is not Severity.BLOCK):
        if run.claim is None:
            continue
        for score in run.claim.scores:
            for update in score.seen:
                if not overlap(update, score):
                    continue
                breach = Breach(classify(run, score, update), run, run.claim, score, update)
                key = (breach.rule, update.location, score.location)
                if key not in shown:
                    shown.add(key)
                    yield breach


def overlap(a: Event, b: Event) -> bool:
    """Whether two events touch a common part of a stream."""
    return a.overlaps(b)


def classify(run: StaticRun, score: Event, update: Event) -> str:
    """The rule that a breach falls under; see the module's docstring."""
    passes = dict(score.loop)
    between = [loop for loop, number in update.loop if loop in passes and passes[loop] != number]
    if between and any(_same_place_before(s, score, update) for s in run.scores):
        return "C302"
    if update.made and any(t.kind == "peer" and t.detail == update.state for t in score.mixtures):
        return "C105"
    if delta_of_window(score, update):
        return "C104" if context_only(run, update) else "C103"
    if _reworked(run, update) or any(released(report, update) for report in run.reports):
        return "C402"
    if update.text == "training" and not any(loop in passes for loop, _ in update.loop):
        return "D101"
    return "D104" if update.text == "write" and update.state not in PLAIN_STATES else "C301"


def delta_of_window(score: Event, update: Event) -> bool:
    """Whether a step trains a bare parameter that was made for the very window, or batch of windows, that is scored with it."""
    shared = tuple(mine for mine, theirs in zip(update.loop, score.loop, strict=False) if mine == theirs)
    return update.state == "parameter" and update.text == "gradient" and bool(shared) and update.made == shared


def context_only(run: StaticRun, update: Event) -> bool:
    """Whether the loss of a step ends within its windows, and the claimed scores begin within theirs: where these do, as far as is known.

    The loss may begin at a fixed place, but not at one that is computed for the window: that may be where the scores begin.
    """
    since = run.claim.since if run.claim is not None else frozenset()
    computed = any(origin for origin, _ in update.since)
    return bool(since and update.until) and not update.since & since and (bool(update.until & since) or not computed)


def _same_place_before(earlier: Event, score: Event, update: Event) -> bool:
    return earlier.location == score.location and earlier.order < update.order and overlap(earlier, update)


def _reworked(run: StaticRun, update: Event) -> bool:
    """Whether the claim is also made from scores of the update's tokens that were there before it."""
    claim = run.claim
    return claim is not None and any(_before(s, update) and not _seen(s) for s in claim.scores)


def released(report: Event, update: Event) -> bool:
    """Whether a report holds only legal scores, and one of the update's tokens from the pass that the update belongs to.

    A pass that only scores releases nothing: what is trained afterwards, elsewhere, was trained before the claim was scored.
    """
    if set(report.loop) & set(update.loop):
        return False
    earlier = [s for s in report.scores if _before(s, update) and set(s.loop) & set(update.loop)]
    return bool(earlier) and not any(_seen(s) for s in report.scores)


def _before(score: Event, update: Event) -> bool:
    return score.order < update.order and overlap(score, update)


def _seen(score: Event) -> bool:
    """Whether the score was computed with a state that had seen its tokens."""
    return any(overlap(update, score) for update in score.seen)


def classify_traced(traced: Traced) -> str:
    """The rule that a breach falls under which the trace of a run shows."""
    if traced.discarded:
        return "C303"
    if traced.chosen:
        return "C401"
    if traced.repeated:
        return "C302"
    if traced.alone:
        return "C103"
    if traced.restated:
        return "C402"
    return "D101" if traced.update is not None and traced.update.text == "training" else "C301"


def traced_findings(facts: Facts, rule: str) -> tuple[Finding, ...]:
    """What the traces of runs show of a rule, one finding for each pair of places."""
    trials = facts.dynamic.trials if facts.dynamic is not None else ()
    traced = [(trial, each) for trial in trials for each in trial.breaches if classify_traced(each) == rule]
    found = {finding.locations: finding for finding in (_traced_finding(rule, *each) for each in reversed(traced))}
    return tuple(reversed(found.values()))


def decide(facts: Facts, rule: str) -> Answer:
    """The answer of one of these rules."""
    found = (*(_finding(b) for b in breaches(facts) if b.rule == rule), *traced_findings(facts, rule))
    return failed(rule, found) if found else undecided(facts, rule)


def undecided(facts: Facts, rule: str) -> Answer:
    """Without a finding: the rule passed if some run was followed to its claim, else it could not decide."""
    runs = facts.static.runs if facts.static is not None else ()
    if not runs or any(run.claim is None or run.unfollowed for run in runs):
        return not_analysed(rule, "the source was not followed to the claimed score")
    return passed(rule)


MESSAGES = {
    "C103": "{state}, made for a window, is optimised on tokens of this window, which are then scored with it",
    "C104": "{state} is optimised on the context of several windows at once; the tokens scored in one of them are context of the next",
    "C105": "rows are scored with the adapters of other rows ({state}), which have trained on tokens that were not scored before these",
    "C301": "validation tokens reach {state} before they are scored, and the claimed score is computed with it",
    "C302": "the claimed score comes from a later pass over tokens that {state} was trained on in an earlier pass",
    "C303": "{state} are trained on validation tokens before these are scored, and thrown away",
    "C401": "the lowest of several scores of the same tokens is kept, and that is what is claimed",
    "D101": "the model is trained on validation tokens, and the claimed score of them is computed with it",
    "D104": "values computed from validation tokens before they are scored are written into the weights of the claimed score ({state})",
    "C402": "tokens that were scored before are scored again with {state}, which has seen them since, and that is what is claimed",
}


def _finding(breach: Breach) -> Finding:
    certainty = Certainty.PROVEN if breach.run.resolved else Certainty.LIKELY
    return Finding(
        breach.rule,
        Witness.STATIC,
        certainty,
        MESSAGES[breach.rule].format(state=_name(breach.update)) + f" (configuration: {breach.run.source})",
        (breach.update.location, breach.score.location),
        path(breach),
        _ceiling(breach),
    )


def _traced_finding(rule: str, trial: Trial, traced: Traced) -> Finding:
    update, score = traced.update, traced.score
    learnt: tuple[Step, ...] = ()
    if update is not None:
        learnt = (*update.through, Step(update.location, UPDATE_VERBS[update.text].format(state="parameters")))
    steps = (
        *learnt,
        *_beyond(score.through, update.through if update is not None else ()),
        Step(score.location, f"{traced.positions:,} of the same tokens are scored" + _how(traced)),
        report_step(traced.report),
    )
    told = MESSAGES[rule].format(state="the parameters") + f" (seen in a run: the {trial.probe} probe)"
    places = (*((update.location,) if update is not None else ()), score.location)
    return Finding(rule, Witness.DYNAMIC, Certainty.PROVEN, told, places, steps)


def _how(traced: Traced) -> str:
    if traced.update is None:
        return ""
    return " after that, without them" if traced.discarded else " with them"


def _ceiling(breach: Breach) -> Severity:
    """A delta on the context that is not known to be shared by the rows of a batch is for review."""
    alone = breach.rule == "C104" and breach.update.rows != 1
    return Severity.REVIEW if alone and breach.run.ceiling is Severity.BLOCK else breach.run.ceiling


def _name(update: Event) -> str:
    return f"the {update.state}" if update.state in PLAIN_STATES else f"the state of {update.state}"


def path(breach: Breach) -> tuple[Step, ...]:
    """The numbered path from the read to the report."""
    update, score, report = breach.update, breach.score, breach.report
    steps = [Step(where, "validation tokens are read") for where in update.reads[:1]]
    steps.extend(update.through)
    steps.append(Step(update.location, UPDATE_VERBS.get(update.text, "{state} changes").format(state=_name(update))))
    steps.extend(_beyond(score.through, update.through))
    steps.append(Step(score.location, "the same tokens are scored with it"))
    steps.append(report_step(report))
    return tuple(steps)


def _beyond(calls: tuple[Step, ...], told: tuple[Step, ...]) -> tuple[Step, ...]:
    """The calls that lead to a place, without those at the start that led to the place before, too."""
    common = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(calls, told, strict=False)))
    return calls[common:]


def report_step(report: Event) -> Step:
    """The last step of a path: where the score is printed."""
    shown = " ".join(report.text.split())[:120]
    return Step(report.location, f"the score is reported: {shown}")
