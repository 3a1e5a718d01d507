"""Arithmetic and comparisons on abstract values; constants are folded within bounds."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from pgolf_check.static.effects.bounds import of_binary
from pgolf_check.static.effects.mixing import carried, stopped
from pgolf_check.static.effects.mixtures import divided, guessed, hashed, tilted
from pgolf_check.static.effects.native import compared, weighed
from pgolf_check.static.effects.scores import compared as compared_scores
from pgolf_check.static.effects.scores import weighed_by
from pgolf_check.static.effects.spaces import added
from pgolf_check.static.effects.special import special
from pgolf_check.static.joins import join
from pgolf_check.static.machine import Machine
from pgolf_check.static.records import NO_DEPS, Deps, Loopset, Trace, Traced, has_reads, leaves_trace, traces, union
from pgolf_check.static.values import (
    CONSTANTS,
    NO_CONST,
    NO_REST,
    NO_TAGS,
    Bound,
    Choice,
    Class,
    Data,
    External,
    Instance,
    Mapping,
    Sequence,
    Value,
    constant,
    deps_of,
    is_const,
    options,
    tags_of,
)

BINARY: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "//": operator.floordiv,
    "%": operator.mod,
    "**": operator.pow,
    "&": operator.and_,
    "|": operator.or_,
    "^": operator.xor,
    "<<": operator.lshift,
    ">>": operator.rshift,
}
COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
TOKEN_ARITHMETIC = frozenset(("+", "-", "*", "//", "%", "^", "&", "|", "<<", ">>"))
OPERATOR_METHODS = {"+": "__add__", "-": "__sub__", "*": "__mul__", "@": "__matmul__", "/": "__truediv__", "|": "__or__"}
MAX_INT = 1 << 128
MAX_TEXT = 1 << 16


def fold(op: str, a: Any, b: Any) -> Any:
    """The result of a constant operation, or NO_CONST if it fails or would be large."""
    if op == "**" and isinstance(b, (int, float)) and (abs(b) > 128 or (isinstance(a, int) and abs(a) > MAX_INT)):
        return NO_CONST
    if op == "<<" and isinstance(b, int) and b > 128:
        return NO_CONST
    if op == "*" and isinstance(a, (str, bytes)) | isinstance(b, (str, bytes)):
        text, count = (a, b) if isinstance(a, (str, bytes)) else (b, a)
        if not isinstance(count, int) or len(text) * max(count, 0) > MAX_TEXT:
            return NO_CONST
    if op == "%" and isinstance(a, (str, bytes)):
        return NO_CONST
    function = BINARY.get(op)
    if function is None:
        return NO_CONST
    try:
        result = function(a, b)
    except (TypeError, ValueError, ArithmeticError):
        return NO_CONST
    if isinstance(result, int) and abs(result) > MAX_INT:
        return NO_CONST
    if isinstance(result, (str, bytes)) and len(result) > MAX_TEXT:
        return NO_CONST
    return result


def unary(op: str, operand: Value) -> Value:
    known = constant(operand)
    if known is not NO_CONST and isinstance(known, (int, float)):
        result = -known if op == "-" else +known if op == "+" else ~known if isinstance(known, int) else NO_CONST
        if result is not NO_CONST:
            return result if is_const(operand) else Data(operand.deps, operand.tags, const=result, scalar=True)
    return derived(operand)


def derived(*values: Value) -> Data:
    """A value computed from others."""
    deps, tags, scalar = [], [], True
    for value in values:
        if not is_const(value):
            deps.append(deps_of(value))
            tags.append(tags_of(value))
            scalar = scalar and type(value) is Data and value.scalar
    return Data(union(deps), NO_TAGS.union(*tags), scalar=scalar)


def binary(m: Machine, op: str, left: Value, right: Value) -> Value:
    from pgolf_check.static.effects.texts import add_texts, format_percent

    a, b = constant(left), constant(right)
    if a is not NO_CONST and b is not NO_CONST:
        result = fold(op, a, b)
        if result is not NO_CONST:
            if isinstance(left, CONSTANTS) and isinstance(right, CONSTANTS):
                return result
            bound = of_binary(op, left, right)
            return Data(deps_of(left) | deps_of(right), tags_of(left) | tags_of(right), const=result, high=bound, scalar=True)
    if op == "%" and (isinstance(a, str) or _is_text(left)):
        return format_percent(left, right)
    if op == "+" and (_is_text(left) or _is_text(right) or isinstance(a, str) or isinstance(b, str)):
        return add_texts(left, right)
    if op == "/" and (isinstance(a, str) or isinstance(b, str)):
        return join_path(left, right)
    if op in ("+", "*") and (type(left) is Sequence or type(right) is Sequence):
        return _sequences(op, left, right)
    if op == "|" and type(left) is Mapping and type(right) is Mapping:
        return Mapping({**left.items, **right.items}, right.rest if left.rest is NO_REST else left.rest)
    special = _operator_method(m, op, left, right) if type(left) is Instance else NO_CONST
    if special is not NO_CONST:
        return special
    result = derived(left, right)
    if op in ("+", "-") and type(left) is Data and left.scalar and isinstance(b, int):
        if left.symbol is None:
            left.symbol = (m.identity(), 0)
        result.symbol = (left.symbol[0], left.symbol[1] + (b if op == "+" else -b))
        if left.low is not None:
            result.low = left.low + (b if op == "+" else -b)
    result.high = of_binary(op, left, right)
    if result.deps:
        result.deps = _contested(m, op, left, right, result.deps)
    if op == "+" and not has_reads(result.deps):
        result.tags = offset_by(tags_of(left), tags_of(right))
    result.marks = op in ("&", "|") and all(type(v) is Data and v.marks for v in (left, right))
    if op in TOKEN_ARITHMETIC and (_tokens(left) or _tokens(right)):
        result.tokens = True
        result.deps = hashed(m, op, left, right, result.deps)
    elif op == "-" and not result.scalar and not _tokens(right) and type(left) is Data and not left.scalar:
        result.behind = not result.deps
    elif op == "+" and type(left) is Data and left.behind:
        result.behind = not (isinstance(b, int) and b > 0)
    elif op == "+" and (m.spaced or leaves_trace(result.deps)):
        result.deps = carried(m, left, right, added(m, left, right, result.deps))
    elif op == "*":
        for mask, weight in ((left, b), (right, a)):
            weighed(m, mask, weight)
            result.deps = result.deps if traces(deps_of(mask), Trace.SHIFTED) else stopped(result.deps, mask)
    elif op == "/":
        result.deps = divided(m, left, right, result.deps)
    return result


def _contested(m: Machine, op: str, left: Value, right: Value, deps: Deps) -> Deps:
    """The dependencies of `left op right`, marked if that compares two scores of one target or completes the choice of one."""
    if op in ("+", "-"):
        for part, whole in ((left, right), (right, left)):
            deps = weighed_by(m, part, whole, deps, Trace.RECTIFIED)
        deps = tilted(m, left, right, deps)
    if op == "-":
        return compared_scores(m, left, right, deps)
    return weighed_by(m, left, right, weighed_by(m, right, left, deps)) if op == "*" else deps


def offset_by(place: Loopset, offset: Loopset) -> Loopset:
    """The loop iterations that choose the sum of two places.

    A place that one iteration chose stays its own where an offset is added that counts from the first iteration on.
    """
    common = {loop for loop, _ in place} & {loop for loop, _ in offset}
    both = place & offset
    narrower = {loop for loop, _ in both}
    return frozenset(tag for tag in place | offset if tag[0] not in common or tag[0] not in narrower or tag in both)


def _tokens(value: Value) -> bool:
    return type(value) is Data and value.tokens


def _is_text(value: Value) -> bool:
    return type(value) is Data and value.parts is not None


def join_path(left: Value, right: Value) -> Value:
    from pgolf_check.static.effects.texts import add_texts

    return add_texts(add_texts(left, "/"), right)


def _operator_method(m: Machine, op: str, left: Value, right: Value) -> Value:
    """An operator that the audited source defines on its own class."""
    from pgolf_check.static.calls import call

    if type(left) is Instance and type(left.cls) is Class and op in OPERATOR_METHODS:
        method = left.cls.lookup(OPERATOR_METHODS[op])
        if method is not NO_CONST:
            return call(m, Bound(method, left), (right,), {})
    return NO_CONST


def _sequences(op: str, left: Value, right: Value) -> Value:
    if op == "+" and type(left) is Sequence and type(right) is Sequence:
        rests = [s.rest for s in (left, right) if s.rest is not NO_REST]
        rest: Value = NO_REST
        for value in rests:
            rest = value if rest is NO_REST else join(rest, value)
        return Sequence(left.kind, left.items + right.items, rest, rest is not NO_REST)
    sequence, count = (left, right) if type(left) is Sequence else (right, left)
    times = constant(count)
    if isinstance(times, int) and len(sequence.items) * times <= 64:
        return Sequence(sequence.kind, sequence.items * max(times, 0), sequence.rest, sequence.rest is not NO_REST)
    rest = sequence.rest
    for value in sequence.items:
        rest = value if rest is NO_REST else join(rest, value)
    return Sequence(sequence.kind, (), rest, rest is not NO_REST)


def compare(m: Machine, op: str, left: Value, right: Value) -> Value:
    """True, False, or Data for a comparison that cannot be decided."""
    if op in ("is", "is not"):
        return _identity(op, left, right)
    if op in ("in", "not in"):
        return _membership(m, op, left, right)
    a, b = constant(left), constant(right)
    if a is not NO_CONST and b is not NO_CONST:
        try:
            return bool(COMPARE[op](a, b))
        except TypeError:
            return Data(scalar=True)
    decided = _bounded(op, left, right, a, b)
    if decided is not None:
        return decided
    if type(left) is External and type(right) is External:
        same = left.path == right.path
        if op in ("==", "!="):
            return same if op == "==" else not same
    if type(left) is Choice or type(right) is Choice:
        outcomes = [compare(m, op, x, y) for x in options(left) for y in options(right)]
        if all(o is outcomes[0] for o in outcomes) and isinstance(outcomes[0], bool):
            return outcomes[0]
    if (left is None or right is None) and op in ("==", "!="):
        other = right if left is None else left
        if type(other) not in (Data, Choice):
            return op == "!="
    result = derived(left, right)
    for value, bound in ((left, b), (right, a)):
        compared(m, value, bound)
    result.deps = compared_scores(m, left, right, result.deps)
    if op == "==" and result.deps:
        result.deps = guessed(m, left, right, result.deps)
    result.marks = op in ("==", "!=") and (_marks(left, right) or _marks(right, left))
    if result.marks:
        result.deps = result.deps | {Traced(Trace.BOUNDARY, m.here())}
    return result


def _marks(tokens: Value, wanted: Value) -> bool:
    """Whether comparing token ids with a value marks where one id, known beforehand, stands."""
    return _tokens(tokens) and not has_reads(deps_of(wanted))


def _bounded(op: str, left: Value, right: Value, a: Any, b: Any) -> bool | None:
    if type(left) is Data and type(right) is Data and left.symbol and right.symbol and left.symbol[0] == right.symbol[0]:
        return bool(COMPARE[op](left.symbol[1], right.symbol[1]))
    if type(left) is Data and left.low is not None and isinstance(b, (int, float)):
        return _low(op, left.low, b)
    if type(right) is Data and right.low is not None and isinstance(a, (int, float)):
        return _low({"<": ">", "<=": ">=", ">": "<", ">=": "<="}.get(op, op), right.low, a)
    return None


def _low(op: str, low: int, bound: float) -> bool | None:
    """What a number of at least `low` says about a comparison with a bound."""
    if low > bound:
        return {"==": False, "!=": True, "<": False, "<=": False, ">": True, ">=": True}[op]
    if low == bound:
        return {"<": False, ">=": True}.get(op)
    return None


def _identity(op: str, left: Value, right: Value) -> Value:
    if left is None or right is None:
        other = right if left is None else left
        if type(other) is Choice:
            nones = [v is None for v in other.options]
            if any(nones) and not all(nones):
                return Data(scalar=True)
            return all(nones) == (op == "is")
        if type(other) is Data and other.parts is None and not other.deps and other.owner is None and not other.tags:
            return Data(NO_DEPS, scalar=True) if other.const is NO_CONST and not other.scalar else op == "is not"
        return (other is None) == (op == "is")
    if isinstance(left, bool) and isinstance(right, bool):
        return (left is right) == (op == "is")
    if type(left) in (Instance, Sequence, Mapping) and type(right) in (Instance, Sequence, Mapping):
        return (left is right) == (op == "is")
    if type(left) is External and type(right) is External:
        return (left.path == right.path) == (op == "is")
    return derived(left, right)


def _membership(m: Machine, op: str, left: Value, right: Value) -> Value:
    own = special(m, right, "__contains__", left)
    if own is not NO_CONST:
        return own
    known = constant(left)
    if known is not NO_CONST:
        if isinstance(right, str) and isinstance(known, str):
            return (known in right) == (op == "in")
        if type(right) is Mapping and right.rest is NO_REST:
            return (known in right.items) == (op == "in")
        if type(right) is Sequence and right.rest is NO_REST and all(is_const(v) for v in right.items):
            return (known in right.items) == (op == "in")
        if type(right) is External and right.path == "os.environ":
            m.acts += 1
            return (known in m.environment) == (op == "in")
    return derived(left, right)
