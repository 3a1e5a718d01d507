"""Where targets meet predictions, and where one of several scores is chosen."""

from __future__ import annotations

from pgolf_check.static.effects.mixtures import is_hashed
from pgolf_check.static.machine import Machine
from pgolf_check.static.records import (
    Best,
    Deps,
    Score,
    Side,
    Trace,
    Traced,
    has_reads,
    scores_of,
    states_of,
    traces,
    union,
    without,
)
from pgolf_check.static.values import NO_REST, Choice, Data, Mapping, Sequence, Value, deps_of, tags_of


def gathered(m: Machine, prediction: Data, index: Value) -> Data | None:
    """`prediction[..., targets]`: the score, if the index holds token ids and the prediction comes from a model."""
    if not states_of(prediction.deps) or not holds_tokens(index) or is_hashed(index):
        return None
    return Data(m.score(prediction.deps, deps_of(index)), prediction.tags | tags_of(index))


def holds_tokens(index: Value) -> bool:
    """Whether an index contains raw token ids read from a stream."""
    if type(index) is Sequence:
        return any(holds_tokens(v) for v in index.items)
    return type(index) is Data and index.tokens and has_reads(index.deps)


def rivals(deps: Deps) -> frozenset[Score]:
    """Scores among the dependencies that another one of overlapping targets competes with."""
    scores = sorted(filter(_of_targets, scores_of(deps)), key=lambda s: s.order)
    found: set[Score] = set()
    for i, first in enumerate(scores):
        for second in scores[i + 1 :]:
            if any(a.region.overlaps(b.region) for a in first.reads for b in second.reads):
                found.update((first, second))
    return frozenset(found)


def _of_targets(score: Score) -> bool:
    """Whether a score may be one of targets: how likely the tokens before them are is an input like any other."""
    return any(read.side is not Side.INPUT for read in score.reads)


def _contest(m: Machine, deps: Deps) -> Best | None:
    """The choice made here among the scores of the dependencies; None if no two of them are of the same targets."""
    competing = rivals(deps)
    return Best(m.here(), competing) if competing else None


def lowest(m: Machine, values: tuple[Value, ...], result: Data) -> Data:
    """min over values: marked as a choice if two of them are scores of the same targets."""
    carried = [deps_of(v) for v in values]
    if sum(1 for d in carried if scores_of(d)) < 2:
        return result
    first, *others = [scores_of(d) for d in carried if scores_of(d)]
    if all(o == first for o in others):
        return result
    best = _contest(m, frozenset().union(*carried))
    if best is not None:
        result.deps = result.deps | {best}
    return result


PICKING = frozenset(
    "min amin nanmin aminmax sort msort sorted topk kthvalue median nanmedian quantile cummin nsmallest heappop heapify reduce".split()
)
"""Functions that give the lowest of what they get, or put it first."""
RECTIFYING = frozenset("relu relu_ abs absolute fabs clamp clamp_ clip clip_ sign heaviside hardtanh maximum threshold".split())
"""Functions that make a choice of a difference."""


def picked(m: Machine, name: str, values: tuple[Value, ...], result: Data) -> Data:
    """The result of a function that chooses among what it gets: marked if these are scores of the same targets."""
    if name in RECTIFYING:
        if any(traces(deps_of(v), Trace.COMPARED) for v in values):
            result.deps = result.deps | {Traced(Trace.RECTIFIED, m.here())}
    elif name in PICKING:
        best = _contest(m, union(deps_of(v) for v in values))
        if best is not None:
            result.deps = without(result.deps, Trace.COMPARED) | {best}
    return result


def compared(m: Machine, left: Value, right: Value, deps: Deps) -> Deps:
    """The dependencies of a comparison or difference: marked if it is one of two scores of the same targets."""
    mine, theirs = scores_of(deps_of(left)), scores_of(deps_of(right))
    if not mine or not theirs or mine == theirs or not rivals(mine | theirs):
        return deps
    return deps | {Traced(Trace.COMPARED, m.here())}


def weighed_by(m: Machine, mask: Value, value: Value, deps: Deps, trace: Trace = Trace.COMPARED) -> Deps:
    """The dependencies of a score under a mask or weight: marked if that compares it with another score of its targets.

    With `Trace.RECTIFIED`: of a score with a part of the difference taken from it or added to it.
    """
    theirs = deps_of(mask)
    mine = scores_of(deps_of(value)) if traces(theirs, trace) else None
    if not mine:
        return deps
    overlapping = any(a.region.overlaps(b.region) for s in mine for a in s.reads for t in scores_of(theirs) for b in t.reads)
    best = _contest(m, mine | scores_of(theirs)) if overlapping else None
    return without(deps, Trace.COMPARED) | {best} if best is not None else deps


def chosen_at(m: Machine, data: Value, index: Value, deps: Deps) -> Deps:
    """The dependencies of scores at an index: marked if scores of the same targets decided it."""
    best = _contest(m, deps_of(index)) if scores_of(deps_of(data)) else None
    return deps | {best} if best is not None else deps


def choice_between(m: Machine, test: Value) -> Best | None:
    """The choice that a condition makes, if it compares scores of the same targets. Whether a container is empty compares nothing."""
    return None if type(test) in (Sequence, Mapping) else _contest(m, deps_of(test))


def chosen_by(m: Machine, test: Value, chosen: Value) -> Value:
    """The result of a conditional expression or `where`: marked if the condition compares scores and the result is one."""
    best = choice_between(m, test)
    if best is None or not scores_of(deps_of(chosen)):
        return chosen
    return marked(chosen, best)


def marked(value: Value, best: Best) -> Value:
    if type(value) is Data:
        return Data(value.deps | {best}, value.tags, bases=value.bases, scalar=value.scalar)
    if type(value) is Choice:
        return Choice(tuple(marked(v, best) for v in value.options))
    if type(value) is Sequence and value.kind == "tuple" and value.rest is NO_REST:
        return Sequence("tuple", tuple(marked(v, best) for v in value.items))
    return value
