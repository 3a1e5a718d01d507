"""What flows through an abstract value: reads of a stream, updates of states, scores, choices between scores, mixtures, and states.

A *dependency* is one of these records; a value carries a frozenset of them. `Read` compares by value; the others are identities:
one object per act of the run.
"""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import lru_cache

from pgolf_check.model import Certainty, Location, Region, Step

Loops = tuple[tuple[int, int], ...]
"""Enclosing loop iterations, outermost first: (loop instance, iteration number)."""
Loopset = frozenset[tuple[int, int]]


class Side(enum.IntEnum):
    """Where tokens stand to the position that is scored, as far as slices tell: before it, or the target itself."""

    UNKNOWN = 0
    INPUT = 1
    TARGET = 2


@dataclass(frozen=True, slots=True)
class Read:
    """Tokens of a region, taken from a file at a location."""

    region: Region
    location: Location
    side: Side = Side.UNKNOWN


@dataclass(frozen=True, slots=True)
class Edge:
    """A part of a window was taken, or marked, from a place on (`since`) or up to it; the place is known by its number only."""

    place: tuple[int, int]
    since: bool


@dataclass(slots=True, eq=False)
class Update:
    """A write that carried tokens into a state."""

    order: int
    state: str
    reads: frozenset[Read]
    location: Location
    loops: Loops
    how: str
    """training, gradient, write or count: the path that the tokens took."""
    frames: tuple[Step, ...] = ()
    through: tuple[Step, ...] = ()
    edges: frozenset[Edge] = frozenset()
    made: Loops = ()
    """The loop iterations in which the state was made or last reset."""
    rows: int | None = None
    """The first dimension of the state, if it is a parameter of its own."""


@dataclass(slots=True, eq=False)
class Score:
    """A loss computed on the targets of `reads` with states that had `seen` the given updates."""

    order: int
    reads: frozenset[Read]
    seen: frozenset[Update]
    location: Location
    loops: Loops
    frames: tuple[Step, ...] = ()
    guard: tuple[str, ...] = ()
    traced: frozenset[Traced] = frozenset()
    """What became of the tokens on the way to the distribution, beside reading."""


@dataclass(slots=True, eq=False)
class Best:
    """The lower of several scores was kept here."""

    location: Location
    scores: frozenset[Score]


@dataclass(slots=True, eq=False)
class State:
    """Something mutable that a score may depend on: a module with its parameters, or a table.

    `leaves` are its separately writable parts; `fresh` those that were reset since the last update. A state is reset when all are.
    `grad` is what its gradients carry, `derived` what derivatives ever carried that were taken for it. `made` are the loop iterations
    in which it was made or last reset, `rows` the first dimension of a parameter of its own, `training` the mode of a module.
    """

    name: str
    location: Location
    seen: frozenset[Update] = frozenset()
    grad: Deps = frozenset()
    derived: Deps = frozenset()
    leaves: frozenset[int] = frozenset()
    fresh: frozenset[int] = frozenset()
    made: Loops = ()
    rows: int | None = None
    training: object = True


class Trace(enum.StrEnum):
    """What happened to the target on the way into a value, before it is known whether that matters."""

    HASHED = "hashed"
    """Token ids were mixed into a number that other tokens share."""
    PROPERTY = "property"
    """A fixed table was read at the target: its bytes, or what kind of token it is."""
    SPREAD = "spread"
    """A score was divided by such a property."""
    STACKED = "stacked"
    """Scores were stacked with a value of the model that the target did not enter."""
    COMPARED = "compared"
    """Two scores of the same targets were compared, or one taken from the other."""
    RECTIFIED = "rectified"
    """Of such a difference only the part above zero, or its size, was kept."""
    GUESSED = "guessed"
    """A guess was compared with the token that it is a guess of."""
    SPACE = "space"
    """Whether a piece of the vocabulary begins with the sign for a space."""
    SPACED = "spaced"
    """A number of bytes in which that space is counted."""
    TRAINING = "training"
    """Tokens of training shards."""
    PREFILLED = "prefilled"
    """A table was written at places that training tokens chose."""
    AHEAD = "ahead"
    """Attention or a shift let later positions in."""
    OBSCURED = "obscured"
    """Some of the token ids were replaced before the model read them."""
    BOUNDARY = "boundary"
    """Where one token id stands, such as the one that begins a document."""
    SHIFTED = "shifted"
    """Activations were moved to the position behind."""
    LATER = "later"
    """Activations without those of the first positions: laid from the first position on, each lies where the one before it was."""
    ENDS = "ends"
    """The first or the last activations alone."""
    TURNED = "turned"
    """Activations with another dimension where their positions were."""
    CARRIED = "carried"
    """Activations of a position were mixed with those of the one before, with nothing that stops it where a document begins."""
    PACKED = "packed"
    """Attention that knows where documents begin in a row of several."""
    PEER = "peer"
    """The rows of a parameter were exchanged."""
    CAPPED = "capped"
    """A stream was cut at a number that is written in the source."""
    BOUNDED = "bounded"
    """A part of a stream ends at a number at most, whatever the length of the stream."""
    PLACED = "placed"
    """A part of a stream begins at a place that is not known."""
    RANDOM = "random"
    """A random whole number."""
    SAMPLED = "sampled"
    """A part of a stream was chosen by a random number."""


KEPT = frozenset((Trace.PREFILLED, Trace.AHEAD, Trace.OBSCURED, Trace.CARRIED, Trace.PACKED, Trace.PEER))
"""What a score keeps of its prediction."""
OF_TARGETS = frozenset((Trace.CAPPED, Trace.BOUNDED, Trace.SAMPLED))
"""What a score keeps of its targets."""


@dataclass(frozen=True, slots=True)
class Traced:
    """A trace, and where it was left; `detail` is the number at which a stream or its part ends, or the state whose rows were exchanged."""

    trace: Trace
    location: Location
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Mixed:
    """The token being scored entered a value by another way than the gather from a distribution.

    `kind` says how: `space` by a count of bytes that holds its leading space twice, `key` through a table indexed by a hash of it, `text` through a table indexed by its bytes, `exact` through a
    table of exact counts, `spread` by a score divided over its bytes, `shared` where C code does that, `gate` by what C code computes for its own position, `tilt` by a hint that counts for some targets only, `native` through C code that also gets scores, `expert` where a term of a
    mixture of probabilities is no probability.
    """

    kind: str
    location: Location
    frames: tuple[Step, ...] = field(default=(), compare=False)


Dep = Read | Edge | Update | Score | Best | State | Traced | Mixed
Deps = frozenset[Dep]

NO_DEPS: Deps = frozenset()


@dataclass(slots=True, eq=False)
class Reported:
    """A text that the run prints or writes, with the scores that its numbers come from."""

    order: int
    parts: tuple[str | None, ...]
    deps: Deps
    location: Location
    loops: Loops
    guard: tuple[str, ...] = ()
    certainty: Certainty = Certainty.PROVEN


def reads_of(deps: Deps) -> frozenset[Read]:
    return frozenset(d for d in deps if type(d) is Read)


def finest_targets(scored: frozenset[Read], deps: Deps, loops: Loops) -> frozenset[Read]:
    """The targets of scores, confined to the parts that the present loops have chosen of them since.

    Those of an earlier iteration of a present loop are not scored now: their scores only weigh what is. Where no slice told which tokens
    are the targets, those that it tells nothing of may be.
    """
    now = dict(loops)
    sides = {Side.TARGET} if any(read.side is Side.TARGET for read in scored) else {Side.TARGET, Side.UNKNOWN}
    targets = [d.region for d in reads_of(deps) if d.side in sides]
    present = [read for read in scored if not _of_earlier_iteration(read.region, now)]
    return frozenset(replace(read, region=read.region.within(_chosen_since(read.region, targets, now))) for read in present)


def _of_earlier_iteration(region: Region, now: dict[int, int]) -> bool:
    fixed = {loop for loop, _ in region.iterations if loop in now}
    return any((loop, now[loop]) not in region.iterations for loop in fixed)


def _chosen_since(region: Region, targets: list[Region], now: dict[int, int]) -> Loopset:
    """The present iterations by which parts of a region were chosen after all the loops that chose the region itself."""
    own = {loop for loop, _ in region.iterations}
    found: set[tuple[int, int]] = set()
    for target in targets:
        since = {i for i in target.iterations if i[0] not in own}
        if since and own <= {loop for loop, _ in target.iterations} and target.overlaps(region):
            found.update((loop, number) for loop, number in since if now.get(loop) == number)
    return frozenset(found)


def updates_of(deps: Deps) -> frozenset[Update]:
    return frozenset(d for d in deps if type(d) is Update)


def edges_of(deps: Deps) -> frozenset[Edge]:
    return frozenset(d for d in deps if type(d) is Edge)


def without_edges(deps: Deps) -> Deps:
    """The dependencies without the places at which a model cuts its own activations."""
    return frozenset(d for d in deps if type(d) is not Edge) if edges_of(deps) else deps


NO_SCORES: frozenset[Score] = frozenset()


def scores_of(deps: Deps) -> frozenset[Score]:
    return frozenset(d for d in deps if type(d) is Score) if deps else NO_SCORES


def mixed_of(deps: Deps) -> frozenset[Mixed]:
    return frozenset(d for d in deps if type(d) is Mixed)


def traced_of(deps: Deps, kinds: frozenset[Trace]) -> frozenset[Traced]:
    return frozenset(d for d in deps if type(d) is Traced and d.trace in kinds)


def leaves_trace(deps: Deps) -> bool:
    """Whether a value carries any trace."""
    for d in deps:  # noqa: SIM110
        if type(d) is Traced:
            return True
    return False


def traces(deps: Deps, trace: Trace) -> bool:
    """Whether a value carries a trace of the target. Asked at every operation: a loop takes half the time of `any`."""
    for d in deps:  # noqa: SIM110
        if type(d) is Traced and d.trace is trace:
            return True
    return False


def without(deps: Deps, trace: Trace) -> Deps:
    """The dependencies without one trace of the target."""
    return frozenset(d for d in deps if type(d) is not Traced or d.trace is not trace) if traces(deps, trace) else deps


def unmixed(deps: Deps) -> Deps:
    """The dependencies without what a gather from a distribution, or a write into a table, settles."""
    if any(type(d) in (Traced, Mixed) for d in deps):
        return frozenset(d for d in deps if type(d) not in (Traced, Mixed))
    return deps


def states_of(deps: Deps) -> frozenset[State]:
    return frozenset(d for d in deps if type(d) is State)


def has_reads(deps: Deps) -> bool:
    for d in deps:  # noqa: SIM110
        if type(d) is Read:
            return True
    return False


MANY_READS, MANY_DEPS = 12, 40


def narrowed(deps: Deps, iterations: frozenset[tuple[int, int]]) -> Deps:
    """The same dependencies with every read confined to the part that the loop iterations select."""
    if not iterations or not has_reads(deps):
        return deps
    found = frozenset(Read(d.region.within(iterations), d.location, d.side) if type(d) is Read else d for d in deps)
    return merged(found) if len(found) > MANY_READS else found


@lru_cache(maxsize=2048)
def merged(deps: Deps) -> Deps:
    """Dependencies with fewer reads: two that differ in the iterations of one loop only are one read of all of these.

    Where that leaves many, a read of several iterations of a loop becomes one of all of them.
    """
    reads = reads_of(deps)
    if len(reads) <= MANY_READS:
        return deps
    groups: dict[tuple[str, frozenset[int] | None, Location, Side], set[Loopset]] = {}
    for read in reads:
        region = read.region
        groups.setdefault((region.stream, region.positions, read.location, read.side), set()).add(region.iterations)
    kept = [
        Read(Region(stream, iterations, positions), location, side)
        for (stream, positions, location, side), found in groups.items()
        for iterations in _fewer(found)
    ]
    return frozenset(d for d in deps if type(d) is not Read).union(kept)


def _fewer(regions: set[Loopset]) -> set[Loopset]:
    """Regions that together are the given ones."""
    of_loop: dict[int, set[tuple[int, int]]] = {}
    for iteration in frozenset().union(*regions):
        of_loop.setdefault(iteration[0], set()).add(iteration)
    for _, iterations in sorted(item for item in of_loop.items() if len(item[1]) > 1):
        by_rest: dict[tuple[Loopset, bool], set[tuple[int, int]]] = {}
        for region in regions:
            own = region & iterations
            by_rest.setdefault((region - own, bool(own)), set()).update(own)
        regions = {rest | own for (rest, _), own in by_rest.items()}
    return regions if len(regions) <= MANY_READS else _largest({_widened(region) for region in regions})


def _widened(region: Loopset) -> Loopset:
    """The region without the loops of which it holds several iterations."""
    times = Counter(loop for loop, _ in region)
    return frozenset(i for i in region if times[i[0]] == 1)


def _largest(regions: set[Loopset]) -> set[Loopset]:
    """Of regions with one iteration a loop at most, those that lie in no other one."""
    kept: list[Loopset] = []
    for region in sorted(regions, key=len):
        if not any(larger <= region for larger in kept):
            kept.append(region)
    return set(kept)


def union(parts: Iterable[Deps]) -> Deps:
    """The union of several dependency sets; the common cases (none, one, equal) make no new set."""
    result: Deps = NO_DEPS
    for part in parts:
        if part is result or part <= result:
            continue
        result = part if result <= part else result | part
    return merged(result) if len(result) > MANY_DEPS else result
