"""Python's builtins on abstract values."""

from __future__ import annotations

from collections.abc import Callable

from pgolf_check.static.effects import iterables, reflection
from pgolf_check.static.effects.callbacks import handed_on
from pgolf_check.static.effects.files import open_file, write_text
from pgolf_check.static.effects.mixtures import hash_of
from pgolf_check.static.effects.numbers import binary, derived
from pgolf_check.static.effects.signature import Args, Effect, Keywords, first
from pgolf_check.static.effects.special import as_condition, as_text
from pgolf_check.static.effects.texts import make_text, parts_of
from pgolf_check.static.machine import Machine
from pgolf_check.static.records import union
from pgolf_check.static.values import (
    NO_CONST,
    NO_REST,
    NO_TAGS,
    Data,
    Instance,
    Mapping,
    Sequence,
    Value,
    constant,
    deps_of,
    is_const,
    tags_of,
)


def _convert(kind: type) -> Callable[[Machine, Args, Keywords], Value]:
    def convert(m: Machine, args: Args, keywords: Keywords) -> Value:
        if not args:
            return kind()
        known = constant(args[0])
        if known is not NO_CONST and len(args) == 1:
            try:
                result = kind(known)
            except (ValueError, TypeError, OverflowError):
                return Data(scalar=True)
            return result if is_const(args[0]) else Data(deps_of(args[0]), tags_of(args[0]), const=result, scalar=True)
        value = args[0]
        if type(value) is Data:
            deps, low, high = deps_of(value), value.low, value.high
            return Data(deps, value.tags, symbol=value.symbol, low=low, high=high, tokens=value.tokens, scalar=True)
        return Data(deps_of(value), tags_of(value), scalar=True)

    return convert


def _bytes(m: Machine, args: Args, keywords: Keywords) -> Value:
    if (
        args
        and type(args[0]) is Sequence
        and args[0].rest is NO_REST
        and all(type(v) is int and 0 <= v < 256 for v in args[0].items)
    ):
        return bytes(args[0].items)
    return handed_on(m, args, keywords)


def _bool(m: Machine, args: Args, keywords: Keywords) -> Value:
    from pgolf_check.static.expressions import truth

    if not args:
        return False
    known = truth(as_condition(m, args[0]))
    return Data(deps_of(args[0]), scalar=True) if known is None else known


def _str(m: Machine, args: Args, keywords: Keywords) -> Value:
    if not args:
        return ""
    value = as_text(m, args[0])
    return make_text(parts_of(value), deps_of(value), tags_of(value))


def _print(m: Machine, args: Args, keywords: Keywords) -> Value:
    flat: list[str | None] = []
    for index, value in enumerate(args):
        if index:
            flat.append(" ")
        flat.extend(parts_of(as_text(m, value)))
    text = make_text(flat, union(deps_of(a) for a in args))
    target = keywords.get("file")
    if type(target) is Instance and target.cls == "io.file":
        write_text(m, target, text)
    else:
        m.report(parts_of(text), deps_of(text))
    return None


def arithmetic(function: Callable[..., object]) -> Callable[[Machine, Args, Keywords], Value]:
    def compute(m: Machine, args: Args, keywords: Keywords) -> Value:
        known = [constant(a) for a in args]
        if known and all(isinstance(k, (int, float)) and abs(k) < 1e12 for k in known):
            try:
                result = function(*known)
            except (ValueError, TypeError, ArithmeticError):
                return Data(scalar=True)
            if all(is_const(a) for a in args):
                return result
            return Data(union(deps_of(a) for a in args), NO_TAGS.union(*(tags_of(a) for a in args)), const=result, scalar=True)
        result_data = derived(*args)
        result_data.scalar = all(is_const(a) or (type(a) is Data and a.scalar) for a in args)
        return result_data

    return compute


def _divmod(m: Machine, args: Args, keywords: Keywords) -> Value:
    return Sequence("tuple", tuple(binary(m, op, args[0], args[1]) for op in ("//", "%")))


def partial(m: Machine, args: Args, keywords: Keywords) -> Value:
    made = Instance("functools.partial")
    made.held = (args[0], Sequence("tuple", args[1:]), Mapping(dict(keywords)))
    return made


BUILTINS: dict[str, Effect] = {
    **iterables.BUILTINS,
    **reflection.BUILTINS,
    "bytes": _bytes,
    "bytearray": _bytes,
    "hash": lambda m, args, keywords: hash_of(m, args),
    "int": _convert(int),
    "float": _convert(float),
    "bool": _bool,
    "str": _str,
    "repr": _str,
    "print": _print,
    "reversed": first,
    "abs": arithmetic(abs),
    "round": arithmetic(round),
    "pow": arithmetic(pow),
    "open": open_file,
    "divmod": _divmod,
}
