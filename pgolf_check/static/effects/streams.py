"""What happens to a token stream as a whole: it is cut at a number, sampled, has ids replaced, or fills a table."""

from __future__ import annotations

from pgolf_check.static.effects.mixtures import LONGEST_SHIFT
from pgolf_check.static.machine import Machine
from pgolf_check.static.records import NO_DEPS, Deps, Trace, Traced, has_reads, reads_of, traces, without
from pgolf_check.static.values import NO_CONST, Data, Sequence, Value, constant, deps_of


def chosen(m: Machine, data: Data, index: Value) -> Deps:
    """What a subscript of a validation stream leaves in it: that it ends at a number, that its place is not known, or that chance chose it."""
    if not data.tokens or not has_reads(data.deps):
        return NO_DEPS
    if traces(deps_of(index), Trace.RANDOM):
        return frozenset((Traced(Trace.SAMPLED, m.here()),))
    if type(index) is not slice or any(read.region.iterations for read in reads_of(data.deps)):
        return NO_DEPS
    end = constant(index.stop)
    if index.start in (None, 0) and isinstance(end, int) and end > LONGEST_SHIFT:
        return frozenset((Traced(Trace.CAPPED, m.here(), str(end)),))
    bound = index.stop.high if type(index.stop) is Data else None
    if bound is not None and bound > LONGEST_SHIFT and not traces(data.deps, Trace.PLACED):
        return frozenset((Traced(Trace.BOUNDED, m.here(), str(bound)),))
    unknown = type(index.start) is Data and index.start.const is NO_CONST
    return frozenset((Traced(Trace.PLACED, m.here()),)) if unknown else NO_DEPS


def obscured(m: Machine, deps: Deps) -> Deps:
    """Token ids of which some were replaced."""
    return deps | {Traced(Trace.OBSCURED, m.here())} if has_reads(deps) else deps


def filled(m: Machine, table: Value, index: Value) -> Deps:
    """What a write at an index leaves in a table, if training tokens chose the place; what one forward pass makes and drops is no table."""
    if type(index) is Sequence:
        return next((found for part in index.items if (found := filled(m, table, part))), NO_DEPS)
    if type(table) is Data and m.passing(table):
        return NO_DEPS
    if type(index) is Data and index.tokens and traces(index.deps, Trace.TRAINING):
        return frozenset((Traced(Trace.PREFILLED, m.here()),))
    return NO_DEPS


def shipped(deps: Deps) -> Deps:
    """The dependencies of what a file of the submission holds: a table in it is paid for."""
    return without(deps, Trace.PREFILLED)


def by_chance(m: Machine, result: Data) -> Data:
    """A number, or a choice among values, that chance made."""
    result.deps = result.deps | {Traced(Trace.RANDOM, m.here())}
    return result
