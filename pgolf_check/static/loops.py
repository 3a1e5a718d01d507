"""Abstract execution of loops and comprehensions.

A loop body runs for the first iteration, for one later iteration that stands for all others, and for the last one where the body
tests the loop variable; exactly as often as it really does when the trip count is 0, 1 or 2, or the items are few and known. Each
iteration has a number, so that what an earlier one read can be told from what this one reads. Numbers that changed during the
first iteration are unknown from the second on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial, reduce

from pgolf_check.static import ir
from pgolf_check.static.counters import begin, counters, widen
from pgolf_check.static.effects.bounds import of_binary
from pgolf_check.static.effects.sequences import elements, iterate, set_mapping
from pgolf_check.static.effects.special import as_condition
from pgolf_check.static.expressions import evaluate, truth
from pgolf_check.static.heap import Delta
from pgolf_check.static.joins import join
from pgolf_check.static.layers import one_layer
from pgolf_check.static.machine import LoopFrame, Machine
from pgolf_check.static.records import NO_DEPS, narrowed
from pgolf_check.static.statements import End, assign, run_block
from pgolf_check.static.values import (
    NO_CONST,
    NO_REST,
    Choice,
    Data,
    Instance,
    Mapping,
    Scope,
    Sequence,
    Value,
    constant,
    deps_of,
    is_module_instance,
    is_record,
    tags_of,
)

UNROLL = 8
MODULES = 16

Tags = frozenset[tuple[int, int]]
Element = Callable[[Tags], Value]


@dataclass(slots=True)
class Plan:
    """The iterations to run: how each one's element is made; `exact` if they are all there are."""

    elements: list[Element]
    exact: bool


def plan_for(m: Machine, iterable: Value, guarded: bool) -> Plan:
    """How to run through an iterable."""
    if type(iterable) is Instance:
        if iterable.cls == "builtins.range":
            return _plan_range(m, iterable.held, guarded)
        if iterable.cls == "builtins.enumerate":
            return _paired(m, [Data(scalar=True), iterable.held[0]], guarded, counts=True, start=iterable.held[1])
        if iterable.cls == "builtins.zip":
            return _paired(m, list(iterable.held), guarded, counts=False, start=0)
    if type(iterable) is Choice:
        return _either([plan_for(m, option, guarded) for option in iterable.options if option is not None])
    if type(iterable) is Sequence:
        return _plan_sequence(m, iterable)
    if type(iterable) is Mapping:
        return _plan_sequence(m, Sequence("list", tuple(iterable.items), iterable.rest, iterable.rest is not NO_REST))
    if isinstance(iterable, (str, bytes)) and len(iterable) <= UNROLL:
        return Plan([_fixed(c) for c in iterable], True)
    return _plan_rest(m, iterate(m, iterable))


def _plan_rest(m: Machine, element: Value) -> Plan:
    """Two of an unknown number of elements; one where it stands for all: a parameter, or outside of a forward pass a layer."""
    if (type(element) is Data and element.owner is not None) or (is_module_instance(element) and m.pass_under_way() is None):
        return Plan([_fixed(element)], False)
    return Plan([_chosen(element), _chosen(element)], False)


def _either(plans: list[Plan]) -> Plan:
    """The plan for one of several iterables: each iteration gets what any of them has there."""
    filled = [p for p in plans if p.elements]
    if len(filled) < 2:
        return Plan(filled[0].elements, len(plans) == 1 and filled[0].exact) if filled else Plan([], True)

    def at(index: int) -> Element:
        makers = [p.elements[index] for p in filled if index < len(p.elements)]
        return lambda tags: reduce(join, (make(tags) for make in makers))

    return Plan([at(index) for index in range(max(len(p.elements) for p in filled))], False)


def _fixed(value: Value) -> Element:
    return lambda tags: value


def _chosen(value: Value) -> Element:
    return lambda tags: choose(value, tags)


def choose(value: Value, tags: Tags) -> Value:
    """The part of a collection's element that an iteration picks."""
    if type(value) is Data:
        if value.owner is not None:
            return value
        return Data(
            narrowed(value.deps, tags),
            value.tags | tags,
            bases=() if value.scalar else (value,),
            tokens=value.tokens,
            parts=value.parts,
            scalar=value.scalar,
        )
    if type(value) is Sequence:
        rest = value.rest if value.rest is NO_REST else choose(value.rest, tags)
        chosen = Sequence(value.kind, tuple(choose(v, tags) for v in value.items), rest, rest is not NO_REST)
        chosen.origin = value
        return chosen
    if type(value) is Choice:
        return Choice(tuple(choose(v, tags) for v in value.options))
    if is_record(value):
        record = Instance(value.cls)
        record.attrs.update((name, choose(field, tags)) for name, field in value.attrs.items())
        return record
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return Data(tags=tags, const=value, scalar=True)
    return value


def _plan_range(m: Machine, bounds: tuple[Value, ...], guarded: bool) -> Plan:
    start, stop, step = (0, bounds[0], 1) if len(bounds) == 1 else (*bounds, 1)[:3]
    first, end, stride = constant(start), constant(stop), constant(step)
    if all(isinstance(v, int) for v in (first, end, stride)) and stride:
        return _plan_known_range(range(first, end, stride), guarded)
    deps = deps_of(start) | deps_of(stop)
    fixed = first if isinstance(first, int) else NO_CONST
    base_tags = tags_of(start)
    upwards = isinstance(stride, int) and stride > 0
    bound = of_binary("-", stop, 1) if upwards else None

    def begin(tags: Tags) -> Value:
        return Data(deps, tags | base_tags, const=fixed, high=bound, scalar=True)

    def later(tags: Tags) -> Value:
        low = first + 1 if upwards and isinstance(first, int) else None
        return Data(deps, tags | base_tags, low=low, high=bound, scalar=True)

    def last(tags: Tags) -> Value:
        low = 1 if isinstance(first, int) and first >= 0 else None
        return Data(deps, tags | base_tags, symbol=_last_symbol(m, stop), low=low, high=bound, scalar=True)

    steps: list[Element] = [begin, later]
    if guarded and stride == 1:
        steps.append(last)
    return Plan(steps, False)


def _last_symbol(m: Machine, stop: Value) -> tuple[int, int] | None:
    if type(stop) is not Data:
        return None
    if stop.symbol is None:
        stop.symbol = (m.identity(), 0)
    return stop.symbol[0], stop.symbol[1] - 1


def _plan_known_range(values: range, guarded: bool) -> Plan:
    count = len(values)
    if count <= 2:
        return Plan([_number(v, max(values)) if count > 1 else _fixed(v) for v in values], True)
    greatest = max(values)
    low = values[1] if values.step > 0 else None
    middle: Element = lambda tags: Data(tags=tags, low=low, high=greatest, scalar=True)  # noqa: E731
    steps = [_number(values[0], greatest), middle]
    if guarded:
        steps.append(_number(values[-1], greatest))
    return Plan(steps, False)


def _number(value: int, greatest: int) -> Element:
    """A number of a range, the greatest of which bounds what the whole loop reads."""
    return lambda tags: Data(tags=tags, const=value, high=greatest, scalar=True)


def _plan_sequence(m: Machine, sequence: Sequence) -> Plan:
    known = list(sequence.items)
    if sequence.rest is NO_REST and (len(known) <= UNROLL or (len(known) <= MODULES and _of_different_classes(known))):
        return Plan([_fixed(v) for v in known], True)
    if sequence.rest is NO_REST:
        later = known[1]
        for value in known[2:]:
            later = join(later, value)
        return Plan([_chosen(known[0]), _chosen(later), _chosen(known[-1])], False)
    rest = sequence.rest
    for value in known:
        rest = join(rest, value)
    return _plan_rest(m, rest)


def _of_different_classes(values: list[Value]) -> bool:
    """Whether these are the parts of a model, one of each class, alone or with their names."""
    parts = [v.items[-1] if type(v) is Sequence and v.items else v for v in values]
    classes = [p.cls if isinstance(p.cls, str) else id(p.cls) for p in parts if is_module_instance(p)]
    return len(set(classes)) == len(values)


def _paired(m: Machine, parts: list[Value], guarded: bool, *, counts: bool, start: Value) -> Plan:
    """zip and enumerate: the parts advance together."""
    plans = [plan_for(m, part, guarded) for part in (parts[1:] if counts else parts)]
    if not plans:
        return Plan([], True)
    longest = (
        min(plans, key=lambda p: (not p.exact, len(p.elements)))
        if any(p.exact for p in plans)
        else max(plans, key=lambda p: len(p.elements))
    )
    steps: list[Element] = []
    for index in range(len(longest.elements)):
        makers = [p.elements[min(index, len(p.elements) - 1)] for p in plans if p.elements]
        if len(makers) < len(plans):
            return Plan([], True)
        if counts:
            makers.insert(0, _counter(index, start, longest))
        steps.append(lambda tags, makers=makers: Sequence("tuple", tuple(make(tags) for make in makers)))  # type: ignore[misc]
    return Plan(steps, longest.exact)


def _counter(index: int, start: Value, plan: Plan) -> Element:
    begin = constant(start)
    if not isinstance(begin, int):
        return lambda tags: Data(tags=tags, scalar=True)
    if not plan.exact and len(plan.elements) == 1:
        return lambda tags: Data(tags=tags, low=begin, scalar=True)
    if plan.exact or index == 0:
        return lambda tags: Data(tags=tags, const=begin + index, scalar=True)
    return lambda tags: Data(tags=tags, low=begin + 1, scalar=True)


def run_for(m: Machine, node: ir.For, scope: Scope) -> End:
    plan = plan_for(m, evaluate(m, node.iter, scope), node.guarded)
    return _run(m, plan, node, scope)


def _run(m: Machine, plan: Plan, node: ir.For, scope: Scope) -> End:
    frame = LoopFrame()
    m.loop_frames.append(frame)
    loop = m.identity()
    end = End.NEXT
    before: Delta = {}
    counted = counters(m, node)
    for number, element in enumerate(plan.elements):
        m.loops.append((loop, number))
        try:
            if number == 1 and not plan.exact:
                widen(m, before, loop, number)
            begin(m, counted, scope, loop, number)
            with m.heap.recording() as journal:
                assign(m, node.target, element(frozenset(((loop, number),))), scope)
                end = run_block(m, node.body, scope)
                _arrive(m, frame.continued)
        finally:
            m.loops.pop()
        if number == 0:
            before = journal
        if end in (End.BREAK, End.RETURN, End.RAISE):
            break
        end = End.NEXT
    m.loop_frames.pop()
    broke = end is End.BREAK
    _arrive(m, frame.broken)
    if end in (End.RETURN, End.RAISE):
        return End.NEXT if frame.broken else end
    return End.NEXT if broke else run_block(m, node.orelse, scope)


def _arrive(m: Machine, deltas: list[Delta]) -> None:
    for delta in deltas:
        m.heap.merge(delta)
    deltas.clear()


def run_while(m: Machine, node: ir.While, scope: Scope) -> End:
    frame = LoopFrame()
    m.loop_frames.append(frame)
    loop = m.identity()
    end = End.NEXT
    before: Delta = {}
    counted = counters(m, node)
    for number in range(2):
        m.loops.append((loop, number))
        try:
            if number == 1:
                widen(m, before, loop, number)
            begin(m, counted, scope, loop, number)
            with m.heap.recording() as journal:
                test = truth(as_condition(m, evaluate(m, node.test, scope)))
                if test is False:
                    break
                end = run_block(m, node.body, scope)
                _arrive(m, frame.continued)
        finally:
            m.loops.pop()
        if number == 0:
            before = journal
        if end in (End.BREAK, End.RETURN, End.RAISE):
            break
        end = End.NEXT
    m.loop_frames.pop()
    left = bool(frame.broken)
    _arrive(m, frame.broken)
    if end in (End.RETURN, End.RAISE):
        return End.NEXT if left else end
    return End.NEXT if end is End.BREAK else run_block(m, node.orelse, scope)


def run_comprehension(m: Machine, node: ir.Comprehension, scope: Scope) -> Value:
    inner = Scope(scope, None, scope.module)
    values: list[Value] = []
    keys: list[Value] = []
    exact = _clause(m, node, 0, inner, keys, values)
    if node.kind == "dict":
        return _mapping(m, keys, values, exact)
    kind = "generator" if node.kind == "generator" else node.kind
    if exact and len(values) <= 64:
        return Sequence(kind, tuple(values))
    return Sequence(kind, (), reduce(partial(one_layer, m), values) if values else None, bool(values))


def _mapping(m: Machine, keys: list[Value], values: list[Value], exact: bool) -> Mapping:
    mapping = Mapping()
    for key, value in zip(keys, values, strict=True):
        known = constant(key)
        if known is NO_CONST or not exact:
            set_mapping(m, mapping, key if known is NO_CONST else Data(scalar=True), value)
        else:
            mapping.items[known] = value
    return mapping


def _clause(m: Machine, node: ir.Comprehension, depth: int, scope: Scope, keys: list[Value], values: list[Value]) -> bool:
    """Run one `for` of a comprehension; whether all elements are there, one by one."""
    if depth == len(node.clauses):
        if node.key is not None:
            keys.append(evaluate(m, node.key, scope))
        values.append(evaluate(m, node.element, scope))
        return True
    clause = node.clauses[depth]
    plan = plan_for(m, evaluate(m, clause.iter, scope), bool(clause.conditions))
    exact = plan.exact
    loop = m.identity()
    for number, element in enumerate(plan.elements):
        m.tick()
        m.loops.append((loop, number))
        try:
            assign(m, clause.target, element(frozenset(((loop, number),))), scope)
            outcomes = [truth(evaluate(m, c, scope)) for c in clause.conditions]
            if False not in outcomes:
                exact = _clause(m, node, depth + 1, scope, keys, values) and exact and None not in outcomes
        finally:
            m.loops.pop()
    return exact


__all__ = ["NO_DEPS", "elements", "plan_for", "run_comprehension", "run_for", "run_while", "widen"]
