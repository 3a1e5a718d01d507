"""Calls of C functions through ctypes: what they write, and whether it depends on the token at its own position."""

from __future__ import annotations

from pgolf_check.static.machine import Machine
from pgolf_check.static.records import Deps, Mixed, has_reads, scores_of, union, unmixed
from pgolf_check.static.values import Data, Instance, Value, deps_of

LIBRARY = "ctypes.CDLL"


def open_library(m: Machine, args: tuple[Value, ...], keywords: dict[str, Value]) -> Value:
    """ctypes.CDLL: which file it is does not matter, its functions are found by their names in the C sources."""
    return Instance(LIBRARY)


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
    outcome = source.outcome(name, frozenset(p for _, p in named) | m.native_fields)
    mixing = _mixes_scores(given)
    for place in outcome.written:
        if place < len(args) and type(args[place]) is Data:
            m.write(args[place], _written(m, deps, place in outcome.gated, mixing), replace=False)
    return Data(_written(m, deps, False, mixing))


def _holds_tokens(value: Value) -> bool:
    return type(value) is Data and value.tokens and has_reads(value.deps)


def _mixes_scores(given: list[Deps]) -> bool:
    """Whether scores and tokens come together that were not scored by the same gather."""
    return any(scores_of(d) for d in given) and any(has_reads(d) and not scores_of(d) for d in given)


def _written(m: Machine, deps: Deps, gated: bool, mixing: bool) -> Deps:
    marks = [Mixed(kind, m.here(), m.stack()) for kind, holds in (("gate", gated), ("native", mixing)) if holds]
    return union((unmixed(deps) if mixing else deps, frozenset(marks)))
