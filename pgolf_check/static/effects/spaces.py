"""The space before a word, in tables of bytes: whether a piece begins with its sign, and whether a number of bytes counts it.

A table that counts the space in the bytes of a piece is right, and so is one that tells apart which pieces begin with a space; both added
up count the space twice.
"""

from __future__ import annotations

from pgolf_check.static.machine import Machine
from pgolf_check.static.records import Deps, Mixed, Trace, Traced, has_reads, scores_of, states_of, traces, without
from pgolf_check.static.values import Data, Value, constant, deps_of, is_const

SIGNS = ("\u2581", "\u2581".encode())
"""The mark of a space in the pieces of a SentencePiece vocabulary."""


def asked(m: Machine, deps: Deps, argument: Value) -> Deps:
    """The dependencies of `piece.startswith(argument)`."""
    return deps | {Traced(Trace.SPACE, m.here())} if constant(argument) in SIGNS else deps


def asks(test: Value) -> bool:
    """Whether a condition tells if a piece begins with a space."""
    return not is_const(test) and traces(deps_of(test), Trace.SPACE)


def told(m: Machine, value: Value) -> Value:
    """What is written under such a condition: a 1 or True in it tells the same."""
    if m.spaced and is_const(value) and value in (True, 1):
        return Data(frozenset((Traced(Trace.SPACE, m.here()),)), const=value, scalar=True)
    return value


def added(m: Machine, left: Value, right: Value, deps: Deps) -> Deps:
    """The dependencies of a sum: of bytes and a space, it counts the space; of bytes that count it and a space, it does so twice.

    What a model has made is no number of bytes.
    """
    if states_of(deps) or scores_of(deps):
        return deps
    if m.spaced and constant(right) == 1 and not is_const(left) and not has_reads(deps):
        return deps | {Traced(Trace.SPACED, m.here())}
    for count, space in ((left, right), (right, left)):
        mine, other = deps_of(count), deps_of(space)
        if not traces(other, Trace.SPACE) or traces(other, Trace.SPACED):
            continue
        if traces(mine, Trace.SPACED):
            return without(without(deps, Trace.SPACE), Trace.SPACED) | {Mixed("space", m.here(), m.stack())}
        if not has_reads(deps) and not traces(mine, Trace.SPACE) and not is_const(count):
            return without(deps, Trace.SPACE) | {Traced(Trace.SPACED, m.here())}
    return deps
