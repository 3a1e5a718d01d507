"""Calls of C functions through ctypes: what they write, and whether it depends on the token at its own position."""

from __future__ import annotations

from pgolf_check.static.machine import Machine
from pgolf_check.static.records import Deps, Mixed, has_reads, scores_of, union, unmixed
from pgolf_check.static.values import Data, Instance, Value, deps_of

LIBRARY = "ctypes.CDLL"


def open_library(m: Machine, args: tuple[Value, ...], keywords: dict[str, Value]) -> Value:
    """ctypes.CDLL: which file it is does not matter, its functions are found by their names in the C sources."""
    return Instance(LIBRARY)


MOST_LIKELY = 1.0
"""No probability reaches a threshold above it; a whole number as bound is one of counts."""


def compared(m: Machine, value: Value, bound: object) -> None:
    """A gate that opens above a bound which no probability reaches is off, unless the C code made something else than a probability."""
    if isinstance(bound, float) and bound > MOST_LIKELY and _is_gate(value):
        m.gates_off = True


def weighed(m: Machine, value: Value, weight: object) -> None:
    """What a gate lets through counts for nothing with a weight of zero."""
    if isinstance(weight, (int, float)) and weight == 0 and _is_gate(value):
        m.gates_off = True


def _is_gate(value: Value) -> bool:
    return any(type(d) is Mixed and d.kind == "gate" for d in deps_of(value))


def call_native(m: Machine, name: str, args: tuple[Value, ...]) -> Value:
    """A C function writes what it was given into its outputs and handles."""
    m.acts += 1
    given = [deps_of(arg) for arg in args]
    deps = union(given)
    source = m.find_native(name)
    if source is None:
        if has_reads(deps):
            m.not_followed(f"the C function {name} gets validation data, and its source was not found")
        return Data(deps)
    function = source.functions[name]
    named = [(i, p) for i, p in enumerate(function.parameters[: len(args)]) if _holds_tokens(args[i])]
    for place, _ in named:
        m.native_fields |= source.fields_of(name, place)
    scores = frozenset(p for p, d in zip(function.parameters, given, strict=False) if scores_of(d))
    outcome = source.outcome(name, frozenset(p for _, p in named) | m.native_fields, scores=scores)
    how, left = (("shared" if outcome.spreads else "native",), unmixed(deps)) if _mixes_scores(args) else ((), deps)
    for place in outcome.written:
        if place < len(args) and type(args[place]) is Data:
            m.write(args[place], _marked(m, left, (*how, "gate") if place in outcome.gated else how), replace=False)
    return Data(_marked(m, left, how))


def _holds_tokens(value: Value) -> bool:
    return type(value) is Data and value.tokens and has_reads(value.deps)


def _mixes_scores(args: tuple[Value, ...]) -> bool:
    """Whether scores and tokens come together that were not scored by the same gather."""
    given = [deps_of(arg) for arg in args]
    apart = any(has_reads(d) and not scores_of(d) for d in given)
    return any(scores_of(d) for d in given) and (apart or any(_holds_tokens(arg) for arg in args))


def _marked(m: Machine, deps: Deps, kinds: tuple[str, ...]) -> Deps:
    return deps | frozenset(Mixed(kind, m.here(), m.stack()) for kind in kinds)
