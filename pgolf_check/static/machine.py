"""The state of one abstract run: heap, call stack, loops, files, configuration, and the records that it leaves.

The machine knows how to record reads, updates, scores and reports; how to evaluate code is in `expressions`, `statements`, `loops`
and `calls`, what the outside world does is in `effects`.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from pgolf_check.model import Location, Region, Step
from pgolf_check.static import ir
from pgolf_check.static.heap import Delta, Heap
from pgolf_check.static.memo import Memory
from pgolf_check.static.native import NativeSource
from pgolf_check.static.records import (
    KEPT,
    NO_DEPS,
    OF_TARGETS,
    Best,
    Deps,
    Edge,
    Loops,
    Read,
    Reported,
    Score,
    State,
    Update,
    edges_of,
    finest_targets,
    has_reads,
    reads_of,
    scores_of,
    states_of,
    traced_of,
    union,
    unmixed,
    updates_of,
    without_edges,
)
from pgolf_check.static.values import Data, ModuleScope, Scope, Value, viewed

PARAMETER = "parameter"
"""The name of the state of a parameter of its own."""
MAX_DEPTH = 48
MAX_STEPS = 1_500_000


class OutOfBudget(Exception):
    """The run took more steps than it was given."""


@dataclass(slots=True)
class Frame:
    """A function call under way. `values` are the results of its returns so far, `returned` the writes of conditional ones."""

    name: str
    call: Location
    node: ir.Function | None = None
    of_module: bool = False
    values: list[Value] = field(default_factory=list)
    returned: list[Delta] = field(default_factory=list)


@dataclass(slots=True)
class LoopFrame:
    """A loop under way: writes of conditional breaks and continues."""

    broken: list[Delta] = field(default_factory=list)
    continued: list[Delta] = field(default_factory=list)


class Machine:
    """One run of one entry script under one configuration."""

    def __init__(
        self,
        environment: Mapping[str, str],
        arguments: tuple[str, ...],
        find_module: Callable[[str], tuple[str, ir.Module] | None],
        execute: Callable[[Machine, tuple[ir.Node, ...], Scope], int],
        find_native: Callable[[str], NativeSource | None] = lambda name: None,
    ) -> None:
        self.execute = execute
        self.environment = dict(environment)
        self.arguments = arguments
        self.find_module = find_module
        self.find_native = find_native
        self.native_fields: frozenset[str] = frozenset()
        """The variables of C sources that hold token arrays."""
        self.heap = Heap()
        self.memory = Memory()
        self.acts = 0
        """How often something was done that is more than computing from arguments and objects: recorded, read from a file, cut short."""
        self.files: dict[object, Value] = {}
        self.modules: dict[str, ModuleScope] = {}
        self.frames: list[Frame] = []
        self.loop_frames: list[LoopFrame] = []
        self.loops: list[tuple[int, int]] = []
        self.guards: list[str] = []
        self.constructing: list[State] = []
        self.reports: list[Reported] = []
        self.updates: list[Update] = []
        self.gradients: set[Update] = set()
        """Gradients as values: where one is written into a state, the write is the update."""
        self.scores: list[Score] = []
        self.choosing: list[Best] = []
        """Conditions under which we are that compare scores of the same targets."""
        self.overrides: dict[str, str] = {}
        """Values of configuration attributes that the run's log prints, by attribute name."""
        self.unfollowed: dict[Location, str] = {}
        self.spaced = 0
        """How many conditions are we under that a piece of the vocabulary begins with the sign for a space."""
        self.gates_off = False
        self.backward_hooks: list[tuple[Value, tuple[Value, ...]]] = []
        """Functions that the backward pass calls, each with what it gets."""
        self.trained = False
        """Whether anything was trained on other data than validation tokens, or trained weights were loaded."""
        self.counters: dict[int, frozenset[str]] = {}
        """Per loop of the source, the names that its body computes anew."""
        self.variables: set[str] = set()
        """Names of environment variables that the run read."""
        self.handlers = 0
        """How many `try` statements with handlers we are in."""
        self.any_options = False
        """Whether nothing is known of the switches on the command line."""
        self.path = ""
        self.at = 0
        self.steps = 0
        self.nested = 0
        self._order = itertools.count(1)
        self._identity = itertools.count(1)

    # Where we are

    def here(self) -> Location:
        line, column = ir.place(self.at)
        return Location(self.path, line, column)

    def stack(self) -> tuple[Step, ...]:
        return tuple(Step(f.call, f"calls {f.name}()") for f in self.frames if f.call.line)

    def tick(self) -> None:
        self.steps += 1
        if self.steps > MAX_STEPS:
            raise OutOfBudget

    def identity(self) -> int:
        """A new number for a loop instance, a leaf or a symbol."""
        return next(self._identity)

    def iterations(self) -> Loops:
        return tuple(self.loops)

    def not_followed(self, why: str) -> None:
        """Note that something at the present place could not be followed."""
        self.unfollowed.setdefault(self.here(), why)

    # What happens to states and streams

    def new_state(self, name: str) -> State:
        return State(name, self.here(), made=self.iterations())

    def read(self, stream: str) -> Deps:
        """The dependency of tokens just read from a stream, all of it."""
        return frozenset((Read(Region(stream), self.here()),))

    def backward(self, deps: Deps) -> None:
        """Gradients of a loss reach every state that it was computed with."""
        flow = self.differentiate(deps)
        for state in states_of(deps) if flow else ():
            self.heap.put(state, "grad", state.grad | flow)

    def on_backward(self, function: Value, given: tuple[Value, ...]) -> None:
        """The backward pass will call a function, with what it is given."""
        self.acts += 1
        self.backward_hooks.append((function, given))

    def differentiate(self, deps: Deps) -> Deps:
        """What the derivatives of a loss carry, by whatever way they reach the states that it was computed with."""
        self.acts += 1
        flow = frozenset(d for d in deps if type(d) in (Read, Edge, Update))
        states = states_of(deps)
        self.trained = self.trained or bool(states) and not has_reads(flow)
        for state in states if flow else ():
            self.heap.put(state, "derived", state.derived | flow)
        return flow

    def gradient(self, flow: Deps, of: State | None) -> Deps:
        """A gradient of a state as a value: what is computed with it has learnt from its tokens, although no state was written."""
        reads = reads_of(flow)
        if not reads:
            return flow
        loops, how = self.iterations(), self._step()
        made = loops if of is None else of.made
        step = Update(next(self._order), PARAMETER, reads, self.here(), loops, how, self.stack(), edges=edges_of(flow), made=made)
        self.acts += 1
        self.gradients.add(step)
        return flow | {step}

    def update(self, state: State, deps: Deps, how: str) -> None:
        """A write carries `deps` into a state."""
        reads = reads_of(deps)
        updates = updates_of(deps) - self.gradients
        fresh = updates - state.seen
        self.acts += bool(reads or updates)
        how = self._path(state, reads, how)
        if reads and not self._known(state, reads, how):
            record = Update(
                next(self._order),
                state.name,
                reads,
                self.here(),
                self.iterations(),
                how,
                self.stack(),
                edges=edges_of(deps),
                made=state.made,
                rows=state.rows,
            )
            self.updates.append(record)
            fresh = fresh | {record}
        if fresh:
            self.heap.put(state, "seen", state.seen | fresh)
            self.heap.put(state, "fresh", frozenset())

    def _path(self, state: State, reads: frozenset[Read], how: str) -> str:
        """How tokens came into a state: a write of what its gradient carries is a step; the first training of a run is no adaptation."""
        derived = [read.region for read in reads_of(state.derived)]
        if how == "write" and reads and all(any(read.region.inside(region) for region in derived) for read in reads):
            how = "gradient"
        return self._step() if how == "gradient" else how

    def _step(self) -> str:
        """What a step on tokens is called: the first training of a run is no adaptation."""
        return "gradient" if self.trained else "training"

    def _known(self, state: State, reads: frozenset[Read], how: str) -> bool:
        here = self.here()
        return any(u.location == here and u.reads == reads and u.how == how for u in state.seen)

    def reset(self, state: State, leaf: int | None, deps: Deps) -> None:
        """A part of a state (all of it if `leaf` is None) is set to a value with the given dependencies."""
        self.acts += 1
        fresh = state.leaves if leaf is None else state.fresh | {leaf}
        carried = updates_of(deps) - self.gradients
        if leaf is None or fresh >= state.leaves:
            self.heap.put(state, "seen", carried)
            self.heap.put(state, "made", self.iterations())
        else:
            self.heap.put(state, "seen", state.seen | carried)
            self.heap.put(state, "fresh", fresh)
        if has_reads(deps):
            self.update(state, deps, "write")

    def score(self, prediction: Deps, target: Deps) -> Deps:
        """The loss of a prediction against targets; the result's dependencies."""
        self.acts += 1
        reads = reads_of(target)
        flow = union((unmixed(without_edges(prediction)), target))
        if not reads:
            return flow
        record = Score(
            next(self._order),
            reads,
            updates_of(prediction),
            self.here(),
            self.iterations(),
            self.stack(),
            tuple(self.guards),
            traced_of(prediction, KEPT) | traced_of(target, OF_TARGETS),
        )
        self.scores.append(record)
        return flow | {record}

    def rescored(self, deps: Deps) -> Deps:
        """The logarithm of a mixture: a score of its own if tables flowed in beside an earlier score."""
        scores = scores_of(deps)
        self.acts += bool(scores)
        updates, traced = updates_of(deps), traced_of(deps, KEPT)
        known = updates <= frozenset().union(*(s.seen for s in scores)) and traced <= frozenset().union(*(s.traced for s in scores))
        if not scores or known:
            return deps
        reads = finest_targets(frozenset().union(*(s.reads for s in scores)), deps, self.iterations())
        if not reads:
            return deps
        record = Score(next(self._order), reads, updates, self.here(), self.iterations(), self.stack(), tuple(self.guards), traced)
        self.scores.append(record)
        return deps | {record}

    def chosen(self, deps: Deps) -> Deps:
        """What is written under a condition that compares scores is marked as a choice if it is a score itself."""
        if self.choosing and scores_of(deps):
            return deps | set(self.choosing)
        return deps

    def report(self, parts: tuple[str | None, ...], deps: Deps) -> None:
        """A text is printed or written. Only those that carry scores are kept."""
        self.acts += 1
        if scores_of(deps):
            self.reports.append(Reported(next(self._order), parts, deps, self.here(), self.iterations(), tuple(self.guards)))

    # Writes to tensors

    def write(self, data: Data, deps: Deps, *, replace: bool) -> None:
        """An in-place write; reaches what the tensor is a view of."""
        for part in viewed(data):
            self.heap.touch(part)
            if part.owner is not None:
                self._write_parameter(part, deps, replace and part is data)
            else:
                self._write_plain(part, self.chosen(deps), replace and part is data)

    def _write_plain(self, data: Data, deps: Deps, replace: bool) -> None:
        present = deps if replace and not data.bases else union((data.deps, deps))
        if present is not data.deps and present != data.deps:
            self.heap.put(data, "deps", present)

    def _write_parameter(self, data: Data, deps: Deps, replace: bool) -> None:
        state = data.owner
        assert state is not None
        if replace and (state in deps or not updates_of(deps)):
            self.reset(state, data.leaf, deps)
        else:
            self.update(state, deps, "write")

    def count(self, data: Data, key: Deps, deps: Deps) -> None:
        """A table is written at a place that tokens chose. What a model makes and drops within one forward pass is no table."""
        self.acts += 1
        parts = viewed(data)
        if self.passing(data):
            self.write(data, union((key, deps)), replace=False)
            return
        for part in parts:
            if part.owner is None:
                self.heap.put(part, "owner", self.new_state("table"))
            assert part.owner is not None
            self.update(part.owner, frozenset(d for d in union((key, deps)) if type(d) in (Read, Update)), "count")
            deps = NO_DEPS

    def passing(self, data: Data) -> bool:
        """Whether a tensor was made in a forward pass that is under way."""
        return any(part.born is not None and any(part.born is frame for frame in self.frames) for part in viewed(data))

    def pass_under_way(self) -> Frame | None:
        """The outermost call under way of a method of a module."""
        return next((frame for frame in self.frames if frame.of_module), None)

    def parameter(self, deps: Deps = NO_DEPS, rows: int | None = None) -> Data:
        """A new parameter: of the module under construction, else a state of its own."""
        state = self.constructing[-1] if self.constructing else self.new_state(PARAMETER)
        state.rows = rows
        leaf = self.identity()
        self.heap.put(state, "leaves", state.leaves | {leaf})
        return Data(deps, owner=state, leaf=leaf)
