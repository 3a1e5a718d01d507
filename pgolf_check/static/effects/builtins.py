"""Python's builtins on abstract values."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce

from pgolf_check.static.effects.files import open_file, write_text
from pgolf_check.static.effects.mixtures import hash_of, reduced
from pgolf_check.static.effects.numbers import derived
from pgolf_check.static.effects.scores import lowest
from pgolf_check.static.effects.sequences import append, elements, iterate, summary
from pgolf_check.static.effects.texts import make_text, parts_of
from pgolf_check.static.machine import Machine
from pgolf_check.static.records import union
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
    Function,
    Instance,
    Mapping,
    Method,
    ModuleScope,
    Native,
    Scope,
    Sequence,
    Value,
    Wrapped,
    constant,
    deps_of,
    is_const,
    join,
    options,
    tags_of,
)

Args = tuple[Value, ...]
Keywords = dict[str, Value]
PLAIN = frozenset((*CONSTANTS, Data, Sequence, Mapping))
"""What has no methods that change a state."""
ANY = "*"
"""In the name of a library's attribute: one that was looked up by a computed name."""


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
            return Data(_own(value), value.tags, symbol=value.symbol, low=value.low, tokens=value.tokens, scalar=True)
        return Data(deps_of(value), tags_of(value), scalar=True)

    return convert


def _own(value: Data) -> frozenset:  # type: ignore[type-arg]
    return deps_of(value)


def _bool(m: Machine, args: Args, keywords: Keywords) -> Value:
    from pgolf_check.static.expressions import truth

    if not args:
        return False
    known = truth(args[0])
    return Data(deps_of(args[0]), scalar=True) if known is None else known


def _str(m: Machine, args: Args, keywords: Keywords) -> Value:
    if not args:
        return ""
    return make_text(parts_of(args[0]), deps_of(args[0]), tags_of(args[0]))


def _len(m: Machine, args: Args, keywords: Keywords) -> Value:
    value = args[0] if args else None
    if type(value) is Sequence and value.rest is NO_REST:
        return len(value.items)
    if type(value) is Mapping and value.rest is NO_REST:
        return len(value.items)
    if isinstance(value, (str, bytes)):
        return len(value)
    return Data(tags=tags_of(value), scalar=True)


def _range(m: Machine, args: Args, keywords: Keywords) -> Value:
    result = Instance("builtins.range")
    result.held = args
    return result


def _enumerate(m: Machine, args: Args, keywords: Keywords) -> Value:
    result = Instance("builtins.enumerate")
    result.held = (args[0], args[1] if len(args) > 1 else keywords.get("start", 0))
    return result


def _zip(m: Machine, args: Args, keywords: Keywords) -> Value:
    if all(type(a) is Sequence and a.rest is NO_REST for a in args):
        return Sequence("list", tuple(Sequence("tuple", items) for items in zip(*(a.items for a in args), strict=False)))
    result = Instance("builtins.zip")
    result.held = args
    return result


def _collect(kind: str) -> Callable[[Machine, Args, Keywords], Value]:
    def collect(m: Machine, args: Args, keywords: Keywords) -> Value:
        if not args:
            return Sequence(kind)
        value = args[0]
        if type(value) is Sequence:
            return Sequence(kind, value.items, value.rest, value.rest is not NO_REST)
        if type(value) is Instance and value.cls == "builtins.range":
            return _range_items(m, kind, value)
        if type(value) is Mapping and value.rest is NO_REST:
            return Sequence(kind, tuple(value.items))
        return Sequence(kind, (), iterate(m, value), True)

    return collect


def _range_items(m: Machine, kind: str, value: Instance) -> Value:
    bounds = [constant(v) for v in value.held]
    if all(isinstance(b, int) for b in bounds) and len(range(*bounds)) <= 64:
        return Sequence(kind, tuple(range(*bounds)))
    return Sequence(kind, (), iterate(m, value), True)


def _dict(m: Machine, args: Args, keywords: Keywords) -> Value:
    mapping = Mapping(dict(keywords))
    if args:
        source = args[0]
        if type(source) is Mapping:
            mapping.items = {**source.items, **mapping.items}
            mapping.rest = source.rest
        else:
            pair = iterate(m, source)
            mapping.rest = pair.items[1] if type(pair) is Sequence and len(pair.items) == 2 else pair
    return mapping


def _extreme(m: Machine, args: Args, keywords: Keywords, pick: Callable[..., Value]) -> Value:
    values = args if len(args) > 1 else tuple(elements(m, args[0])) if args else ()
    known = [constant(v) for v in values]
    if values and all(k is not NO_CONST and isinstance(k, (int, float)) for k in known):
        best = pick(known)
        chosen = values[known.index(best)]
        tags = NO_TAGS.union(*(tags_of(v) for v in values))
        return chosen if not tags else Data(deps_of(chosen), tags, const=best, scalar=True)
    result = derived(*values) if values else Data()
    result.scalar = True
    return result


def _min(m: Machine, args: Args, keywords: Keywords) -> Value:
    values = args if len(args) > 1 else tuple(elements(m, args[0])) if args else ()
    result = _extreme(m, args, keywords, min)
    return lowest(m, values, result) if type(result) is Data else result


def _max(m: Machine, args: Args, keywords: Keywords) -> Value:
    return _extreme(m, args, keywords, max)


def _sorted(m: Machine, args: Args, keywords: Keywords) -> Value:
    from pgolf_check.static.calls import call

    value = args[0] if args else Sequence("list")
    if "key" in keywords and type(keywords["key"]) in (Function, Bound):
        call(m, keywords["key"], (iterate(m, value),), {})
    if type(value) is Sequence and value.rest is NO_REST and all(isinstance(v, (int, float, str)) for v in value.items):
        try:
            return Sequence("list", tuple(sorted(value.items)))
        except TypeError:
            pass
    if type(value) is Sequence:
        return Sequence("list", (), summary(value), True) if value.items or value.rest is not NO_REST else Sequence("list")
    return Sequence("list", (), iterate(m, value), True)


def _sum(m: Machine, args: Args, keywords: Keywords) -> Value:
    value = args[0] if args else Sequence("list")
    items = elements(m, value)
    known = [constant(v) for v in items]
    if type(value) is Sequence and value.rest is NO_REST and all(isinstance(k, (int, float)) for k in known):
        return sum(known)
    result = reduced(derived(*items, *args[1:]))
    result.scalar = True
    return result


def _isinstance(m: Machine, args: Args, keywords: Keywords) -> Value:
    if len(args) != 2:
        return Data(scalar=True)
    value = args[0]
    kinds = args[1].items if type(args[1]) is Sequence else (args[1],)
    if type(value) is Choice:
        outcomes = {_is_a(v, kinds) for v in value.options}
        outcome = outcomes.pop() if len(outcomes) == 1 else None
    else:
        outcome = _is_a(value, kinds)
    return Data(scalar=True) if outcome is None else outcome


_PYTHON_TYPES: dict[str, type | tuple[type, ...]] = {
    "builtins.int": int, "builtins.float": float, "builtins.str": str, "builtins.bytes": bytes, "builtins.bool": bool,
}  # fmt: skip


def _is_a(value: Value, kinds: Args) -> bool | None:
    outcomes = [_is_one(value, kind) for kind in kinds]
    if True in outcomes:
        return True
    return None if None in outcomes else False


def _is_one(value: Value, kind: Value) -> bool | None:
    if is_const(value):
        python = _PYTHON_TYPES.get(kind.path) if type(kind) is External else None
        return isinstance(value, python) if python else (False if type(kind) in (Class, External) else None)
    if type(value) is Instance and type(kind) is Class:
        return _inherits(value.cls, kind) if type(value.cls) is Class else False
    if type(value) is Instance and type(kind) is External:
        name = kind.path.rpartition(".")[2]
        if isinstance(value.cls, str):
            return value.cls.rpartition(".")[2] == name or (name == "Module" and value.state is not None)
        return value.cls.derives(name)
    if type(value) is Sequence and type(kind) is External:
        return kind.path in (f"builtins.{value.kind}", "collections.deque")
    if type(value) is Mapping and type(kind) is External:
        return kind.path in ("builtins.dict", "collections.abc.Mapping")
    if type(value) is Data and type(kind) is External and kind.path in ("builtins.list", "builtins.tuple", "builtins.dict"):
        return False
    if type(value) is Data and type(kind) is Class:
        return False
    return None


def _inherits(cls: Class, kind: Class) -> bool:
    return cls is kind or any(_inherits(base, kind) for base in cls.bases)


def _getattr(m: Machine, args: Args, keywords: Keywords) -> Value:
    from pgolf_check.static.effects.access import get_attribute

    if len(args) < 2:
        return Data()
    name = constant(args[1])
    if not isinstance(name, str):
        return _any_attribute(m, args[0], args)
    found = get_attribute(m, args[0], name)
    if len(args) > 2 and _absent(args[0], found):
        return args[2]
    return found


def _absent(obj: Value, found: Value) -> bool:
    if type(found) is Method and type(obj) in (Instance, Class, Mapping):
        return not (
            type(obj) is Instance
            and obj.state is not None
            and found.name in ("parameters", "state_dict", "module", "train", "eval")
        )
    return False


def _held(obj: Value) -> list[Value]:
    """What the attributes of an object hold, its own and those of its class."""
    found: dict[str, Value] = {}
    classes = [obj.cls] if type(obj) is Instance and type(obj.cls) is Class else []
    while classes:
        cls = classes.pop(0)
        found = {**{name: value for name, value in cls.attrs.items() if not name.startswith("__")}, **found}
        classes.extend(cls.bases)
    own = obj.attrs if type(obj) is Instance else {}
    return [value for value in {**found, **own}.values() if not isinstance(value, tuple)]


def _any_attribute(m: Machine, obj: Value, args: Args) -> Value:
    """getattr with a name that is not known: any attribute. Where that may be a method of a state or of a scored value, it is not followed."""
    if type(obj) is External:
        return External(f"{obj.path}.{ANY}")
    values = _held(obj)
    if type(obj) is Instance and values:
        if (
            obj.state is not None
            or isinstance(obj.cls, str)
            or any(type(o) not in PLAIN for value in values for o in options(value))
        ):
            m.not_followed("an attribute is looked up by a name that is computed")
        return reduce(join, values) if values else Data()
    deps = union(deps_of(a) for a in args)
    if type(obj) is not Data or deps:
        m.not_followed("an attribute is looked up by a name that is computed")
    return Data(deps)


def _setattr(m: Machine, args: Args, keywords: Keywords) -> Value:
    from pgolf_check.static.effects.access import set_attribute

    if len(args) == 3 and isinstance(constant(args[1]), str):
        set_attribute(m, args[0], constant(args[1]), args[2])
    elif len(args) == 3 and type(args[0]) is Instance:
        for name in list(args[0].attrs):
            if type(args[0].attrs[name]) is Data:
                set_attribute(m, args[0], name, args[2])
    return None


def _hasattr(m: Machine, args: Args, keywords: Keywords) -> Value:
    from pgolf_check.static.effects.access import get_attribute

    if len(args) != 2 or not isinstance(constant(args[1]), str):
        return Data(scalar=True)
    obj = args[0]
    if type(obj) in (Instance, Class, ModuleScope):
        if type(obj) is Instance and isinstance(obj.cls, str):
            return constant(args[1]) in obj.attrs or Data(scalar=True)
        found = get_attribute(m, obj, constant(args[1]))
        return not (type(found) is Method or (type(obj) is ModuleScope and constant(args[1]) not in obj.names))
    return True if type(obj) is External else Data(scalar=True)


def _print(m: Machine, args: Args, keywords: Keywords) -> Value:
    flat: list[str | None] = []
    for index, value in enumerate(args):
        if index:
            flat.append(" ")
        flat.extend(parts_of(value))
    text = make_text(flat, union(deps_of(a) for a in args))
    target = keywords.get("file")
    if type(target) is Instance and target.cls == "io.file":
        write_text(m, target, text)
    else:
        m.report(parts_of(text), deps_of(text))
    return None


def _map(m: Machine, args: Args, keywords: Keywords) -> Value:
    from pgolf_check.static.calls import call

    if len(args) < 2:
        return Sequence("generator")
    if len(args) == 2 and type(args[1]) is Sequence and args[1].rest is NO_REST and len(args[1].items) <= 16:
        return Sequence("generator", tuple(call(m, args[0], (v,), {}) for v in args[1].items))
    return Sequence("generator", (), call(m, args[0], tuple(iterate(m, a) for a in args[1:]), {}), True)


def _filter(m: Machine, args: Args, keywords: Keywords) -> Value:
    from pgolf_check.static.calls import call

    if len(args) == 2 and args[0] is not None:
        call(m, args[0], (iterate(m, args[1]),), {})
    return Sequence("generator", (), iterate(m, args[-1]), True) if args else Sequence("generator")


def _next(m: Machine, args: Args, keywords: Keywords) -> Value:
    from pgolf_check.static.calls import call
    from pgolf_check.static.loops import choose

    if not args:
        return Data()
    if type(args[0]) is Instance and type(args[0].cls) is Class:
        method = args[0].cls.lookup("__next__")
        if method is not NO_CONST:
            return call(m, Bound(method, args[0]), (), {})
    return choose(iterate(m, args[0]), frozenset(m.loops[-1:]))


def _iter(m: Machine, args: Args, keywords: Keywords) -> Value:
    from pgolf_check.static.calls import call

    if len(args) == 2:
        return Sequence("generator", (), call(m, args[0], (), {}), True)
    return args[0] if args else Data()


def _exec(m: Machine, args: Args, keywords: Keywords) -> Value:
    from pgolf_check.static.effects.dynamic import run_source

    return run_source(m, args)


def _type(m: Machine, args: Args, keywords: Keywords) -> Value:
    value = args[0] if args else None
    if len(args) == 1 and type(value) is Instance and type(value.cls) is Class:
        return value.cls
    return External("builtins.type." + type(value).__name__)


def _identity(m: Machine, args: Args, keywords: Keywords) -> Value:
    return args[0] if args else Data()


def _any(m: Machine, args: Args, keywords: Keywords) -> Value:
    from pgolf_check.static.expressions import truth

    items = elements(m, args[0]) if args else []
    if type(args[0]) is Sequence and args[0].rest is NO_REST:
        outcomes = [truth(v) for v in items]
        if True in outcomes:
            return True
        if None not in outcomes:
            return False
    return derived(*items)


def _all(m: Machine, args: Args, keywords: Keywords) -> Value:
    from pgolf_check.static.expressions import truth

    items = elements(m, args[0]) if args else []
    if type(args[0]) is Sequence and args[0].rest is NO_REST:
        outcomes = [truth(v) for v in items]
        if False in outcomes:
            return False
        if None not in outcomes:
            return True
    return derived(*items)


def _arithmetic(function: Callable[..., object]) -> Callable[[Machine, Args, Keywords], Value]:
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


def _globals(m: Machine, args: Args, keywords: Keywords) -> Value:
    scope = m.modules.get("__main__")
    mapping = Mapping()
    if scope is not None:
        mapping.items = scope.names
    return mapping


def _partial_of(m: Machine, args: Args, keywords: Keywords) -> Value:
    partial = Instance("functools.partial")
    partial.held = (args[0], Sequence("tuple", args[1:]), Mapping(dict(keywords)))
    return partial


def _vars(m: Machine, args: Args, keywords: Keywords) -> Value:
    if args and type(args[0]) is Instance:
        return Mapping(dict(args[0].attrs))
    if args and type(args[0]) is Class:
        return Mapping(dict(args[0].attrs))
    return _globals(m, args, keywords)


def _import(m: Machine, args: Args, keywords: Keywords) -> Value:
    from pgolf_check.static.calls import load_module

    name = constant(args[0]) if args else NO_CONST
    if not isinstance(name, str):
        m.not_followed("a module is imported by a name that is computed")
        return Data()
    own = load_module(m, name)
    return own if own is not None else External(name)


BUILTINS: dict[str, Callable[[Machine, Args, Keywords], Value]] = {
    "hash": lambda m, args, keywords: hash_of(m, args),
    "int": _convert(int), "float": _convert(float), "bool": _bool, "str": _str, "repr": _str, "len": _len, "range": _range,
    "enumerate": _enumerate, "zip": _zip, "list": _collect("list"), "tuple": _collect("tuple"), "set": _collect("set"),
    "frozenset": _collect("set"), "dict": _dict, "min": _min, "max": _max, "sorted": _sorted, "sum": _sum,
    "isinstance": _isinstance, "getattr": _getattr, "setattr": _setattr, "hasattr": _hasattr, "print": _print, "map": _map,
    "filter": _filter, "next": _next, "iter": _iter, "exec": _exec, "eval": _exec, "type": _type, "reversed": _identity,
    "any": _any, "all": _all, "abs": _arithmetic(abs), "round": _arithmetic(round), "pow": _arithmetic(pow),
    "globals": _globals, "locals": _globals, "vars": _vars, "open": open_file, "__import__": _import, "divmod": _arithmetic(divmod),
}  # fmt: skip

__all__ = ["BUILTINS", "Native", "Scope", "Wrapped", "append", "partial", "_arithmetic", "_import", "_partial_of"]
partial = _partial_of
arithmetic = _arithmetic
import_module = _import
