"""Where the token being scored enters a value by another way than the gather from a distribution.

A hash of the target is a number that other tokens share: what a table holds at it is no probability of the target, whatever is
divided by what afterwards. The marks set here (`records.Mixed`) flow with the value; a later gather from a full distribution
settles them, and so does the write into a table.
"""

from __future__ import annotations

from collections.abc import Iterator

from pgolf_check.static.machine import Machine
from pgolf_check.static.records import (
    NO_DEPS,
    Deps,
    Mixed,
    Read,
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
from pgolf_check.static.values import (
    NO_CONST,
    NO_REST,
    NO_TAGS,
    Data,
    Sequence,
    Value,
    constant,
    deps_of,
    is_const,
    options,
    tags_of,
)

LOSSY = frozenset(("%", "&", "^", ">>", "<<"))
OF_ONE = "one"
"""The detail of a property of a single token id."""
LONGEST_SHIFT = 16
"""A slice that starts later than this skips a header, it does not shift by a token."""


# Before the scored position, or at it


def sided(data: Data, index: Value, deps: Deps) -> Deps:
    """The dependencies of a part of a token stream, with the side that the slice or index tells."""
    side = _side(index)
    if side is Side.UNKNOWN or not data.tokens:
        return deps
    return frozenset(_placed(d, side) if type(d) is Read else d for d in deps)


def _placed(read: Read, side: Side) -> Read:
    if side is read.side:
        return read
    moved = Side.UNKNOWN if side is Side.TARGET and read.side is Side.INPUT else side
    return Read(read.region, read.location, moved)


def _side(index: Value) -> Side:
    if type(index) is Sequence:
        return _side(index.items[-1]) if index.items else Side.UNKNOWN
    if type(index) is slice:
        return _side_of_slice(index.start, index.stop)
    if type(index) is Data and (index.behind or (index.symbol is not None and index.symbol[1] < 0)):
        return Side.INPUT
    return Side.UNKNOWN


def _side_of_slice(start: Value, stop: Value) -> Side:
    """`[:-1]` drops the last target, `[1:]` the first input; `[i + 1 : ...]` starts after the token at i."""
    begin, end = constant(start), constant(stop)
    if isinstance(end, int) and end < 0:
        return Side.UNKNOWN if isinstance(begin, int) and begin > 0 else Side.INPUT
    if isinstance(begin, int):
        return Side.TARGET if 0 < begin <= LONGEST_SHIFT else Side.UNKNOWN
    if type(start) is Data and start.symbol is not None and start.symbol[1] > 0 and begin is NO_CONST:
        return Side.TARGET
    return Side.UNKNOWN


def may_be_target(deps: Deps) -> bool:
    """Whether tokens flowed in that are not known to lie before the scored position."""
    return any(type(d) is Read and d.side is not Side.INPUT for d in deps)


# Hashes, and tables that are read at them


def hashed(m: Machine, op: str, left: Value, right: Value, deps: Deps) -> Deps:
    """The dependencies of `left op right`, marked if token ids were mixed irreversibly."""
    if op in LOSSY and (_is_tokens(left) or _is_tokens(right)):
        return mark_hashed(m, deps)
    return deps


def mark_hashed(m: Machine, deps: Deps) -> Deps:
    if may_be_target(deps) and not traces(deps, Trace.HASHED):
        return deps | {Traced(Trace.HASHED, m.here())}
    return deps


def hash_of(m: Machine, values: tuple[Value, ...]) -> Data:
    """A function that mixes its arguments irreversibly: `hash`, bit operations, remainders."""
    deps = union(deps_of(v) for v in values)
    tokens = any(part.tokens for v in values for part in _parts(v))
    tags = NO_TAGS.union(*(tags_of(v) for v in values))
    return Data(mark_hashed(m, deps) if tokens else deps, tags, tokens=tokens, scalar=all(is_scalar(v) for v in values))


def digest_of(m: Machine, values: tuple[Value, ...]) -> Data:
    """A checksum or digest: a number that other tokens share, whatever form its arguments have."""
    deps = union(deps_of(v) for v in values)
    return Data(mark_hashed(m, deps), NO_TAGS.union(*(tags_of(v) for v in values)), tokens=has_reads(deps), scalar=True)


def is_scalar(value: Value) -> bool:
    """Whether a value is certainly a number, or a tuple of numbers."""
    if type(value) is Sequence:
        return value.rest is NO_REST and all(is_scalar(v) for v in value.items)
    return is_const(value) or (type(value) is Data and value.scalar)


def looked_up(m: Machine, index: Value, *, counts: bool) -> Deps:
    """The mark of what a table holds at a key that the target may have entered; `counts` if tokens were counted in the table."""
    kind = _kind(index, counts)
    return NO_DEPS if kind is None else frozenset((Mixed(kind, m.here(), m.stack()),))


def _kind(index: Value, counts: bool) -> str | None:
    parts = [part for part in _parts(index) if has_reads(part.deps)]
    if any(part.tokens and traces(part.deps, Trace.HASHED) for part in parts):
        return "key"
    if counts and any(traces(part.deps, Trace.PROPERTY) for part in parts):
        return "text"
    if counts and any(part.tokens and any(type(d) is Read and d.side is Side.TARGET for d in part.deps) for part in parts):
        return "exact"
    return None


def is_hashed(index: Value) -> bool:
    """Whether an index contains a hash of token ids."""
    return any(part.tokens and traces(part.deps, Trace.HASHED) for part in _parts(index))


def _parts(index: Value) -> Iterator[Data]:
    if type(index) is Data:
        yield index
    elif type(index) is Sequence:
        for item in (*index.items, *(() if index.rest is NO_REST else (index.rest,))):
            yield from _parts(item)


def _is_tokens(value: Value) -> bool:
    return type(value) is Data and value.tokens


def keep_tokens(target: Data, value: Value) -> None:
    """A buffer that token ids are written into holds token ids from then on, on every path."""
    if not _is_tokens(value) or target.tokens:
        return
    pending = [target]
    while pending:
        data = pending.pop()
        if not data.tokens and data.owner is None:
            data.tokens = True
            pending.extend(data.bases)


# Properties of the target, and scores divided by them


def described(m: Machine, found: Value, index: Value) -> Value:
    """What a fixed table holds at token ids, marked if they may be targets."""
    if type(index) is not Data or not index.tokens or not may_be_target(index.deps) or is_hashed(index):
        return found
    deps = union((deps_of(found), index.deps, frozenset((Traced(Trace.PROPERTY, m.here(), OF_ONE if index.scalar else ""),))))
    if type(found) is Data and found.owner is None and not states_of(found.deps):
        return Data(deps, found.tags | index.tags, bases=found.bases, parts=found.parts, scalar=found.scalar)
    return Data(deps, index.tags, scalar=True) if all(is_const(option) for option in options(found)) else found


def asked_of_one(m: Machine, receiver: Data, args: tuple[Value, ...], found: Data) -> Value:
    """What a method of an object that holds nothing of the run tells of one token id: as a fixed table does."""
    if receiver.deps or receiver.owner is not None or len(args) != 1 or not is_scalar(args[0]):
        return found
    return described(m, found, args[0])


def length(value: Value) -> Deps:
    """The dependencies of `len(value)`: that of what one token id stands for is a property of the token, others tell of no content."""
    deps = deps_of(value) if type(value) is Data else NO_DEPS
    return deps if any(type(d) is Traced and d.trace is Trace.PROPERTY and d.detail == OF_ONE for d in deps) else NO_DEPS


def divided(m: Machine, score: Value, by: Value, deps: Deps) -> Deps:
    """The dependencies of `score / by`: a score for each token, divided by a property of the token."""
    divisor = deps_of(by)
    if scores_of(deps_of(score)) and traces(divisor, Trace.PROPERTY) and not scores_of(divisor):
        return deps | {Traced(Trace.SPREAD, m.here())}
    return deps


def of_several(deps: Deps) -> Deps:
    """The dependencies of a text that is joined from those of several tokens."""
    if not traces(deps, Trace.PROPERTY):
        return deps
    return frozenset(Traced(d.trace, d.location) if type(d) is Traced and d.trace is Trace.PROPERTY else d for d in deps)


def reduced(value: Value) -> Value:
    """A sum over tokens tells nothing about one of them."""
    if type(value) is Data and value.owner is None and traces(value.deps, Trace.PROPERTY):
        return Data(without(value.deps, Trace.PROPERTY), value.tags, tokens=value.tokens, parts=value.parts, scalar=value.scalar)
    return value


def exponential(m: Machine, deps: Deps) -> Deps:
    """A probability made from a score that was spread over bytes; the size of a difference of scores is no choice in it."""
    deps = without(deps, Trace.RECTIFIED) if traces(deps, Trace.RECTIFIED) else deps
    if traces(deps, Trace.SPREAD) and scores_of(deps):
        return without(deps, Trace.SPREAD) | {Mixed("spread", m.here(), m.stack())}
    return deps


def guessed(m: Machine, left: Value, right: Value, deps: Deps) -> Deps:
    """The dependencies of `left == right`: marked if a guess made of other tokens is compared with one that may be the target."""
    for tokens, guess in ((left, right), (right, left)):
        if _is_tokens(tokens) and may_be_target(deps_of(tokens)) and has_reads(deps_of(guess)):
            return deps | {Traced(Trace.GUESSED, m.here())}
    return deps


def tilted(m: Machine, left: Value, right: Value, deps: Deps) -> Deps:
    """The dependencies of a score plus or minus a bonus: marked if that is for a right guess, and for some targets only."""
    for score, bonus in ((left, right), (right, left)):
        given = deps_of(bonus)
        picked = traces(given, Trace.GUESSED) and (traces(given, Trace.PROPERTY) or traces(given, Trace.HASHED))
        if picked and scores_of(deps_of(score)) and not scores_of(given):
            return deps | {Mixed("tilt", m.here(), m.stack())}
    return deps


# The terms of a mixture


def stacked(m: Machine, terms: Value, deps: Deps) -> Deps:
    """The dependencies of stacked terms: marked if scores stand beside a value of the model that knows no target."""
    if type(terms) is not Sequence:
        return deps
    carried = [deps_of(term) for term in terms.items]
    if any(scores_of(d) for d in carried) and any(_knows_no_target(d) for d in carried):
        return deps | {Traced(Trace.STACKED, m.here())}
    return deps


def _knows_no_target(deps: Deps) -> bool:
    """Whether a value comes from a model (rather than from counts) and the target did not enter it."""
    models = any(state.name != "table" for state in states_of(deps))
    return models and not scores_of(deps) and not any(type(d) is Read and d.side is Side.TARGET for d in deps)


def logarithm(m: Machine, deps: Deps) -> Deps:
    """The logarithm of a mixture, or of a sum of exponentials: what was stacked has become its terms."""
    deps = exponential(m, m.rescored(deps))
    if traces(deps, Trace.STACKED) and scores_of(deps):
        return without(deps, Trace.STACKED) | {Mixed("expert", m.here(), m.stack())}
    return deps
