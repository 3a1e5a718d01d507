"""Builtins that look at objects by computed names and at their types, and that import."""

from __future__ import annotations

from functools import reduce

from pgolf_check.static.effects.sequences import elements
from pgolf_check.static.effects.signature import Args, Effect, Keywords
from pgolf_check.static.effects.texts import parts_of
from pgolf_check.static.joins import join
from pgolf_check.static.machine import Machine
from pgolf_check.static.records import union
from pgolf_check.static.values import (
    NO_CONST,
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
    Sequence,
    Value,
    Wrapped,
    constant,
    deps_of,
    is_const,
)

CALLABLE = frozenset((Function, Bound, Method, Wrapped))
ANY = "*"
"""In the name of a library's attribute: one that was looked up by a computed name."""


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
    "builtins.int": int,
    "builtins.float": float,
    "builtins.str": str,
    "builtins.bytes": bytes,
    "builtins.bool": bool,
}


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
    from pgolf_check.static.effects.attributes import get_attribute

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


def _held(m: Machine, obj: Value) -> list[Value]:
    """What the attributes of an object hold, its own and those of its class; the parts of a list of modules are such."""
    found: dict[str, Value] = {}
    classes = [obj.cls] if type(obj) is Instance and type(obj.cls) is Class else []
    while classes:
        cls = classes.pop(0)
        found = {**{name: value for name, value in cls.attrs.items() if not name.startswith("__")}, **found}
        classes.extend(cls.bases)
    own = dict(obj.attrs) if type(obj) is Instance else {}
    parts = own.pop("__items__", None)
    inner = elements(m, parts) if type(parts) is Sequence else []
    return [*(value for value in {**found, **own}.values() if not isinstance(value, tuple)), *inner]


def _any_attribute(m: Machine, obj: Value, args: Args) -> Value:
    """getattr with a name that is not known: any attribute, or a method, which is not followed once it is called."""
    from pgolf_check.static.effects.attributes import get_attribute

    if type(obj) is External:
        return External(f"{obj.path}.{ANY}")
    if type(obj) is Choice:
        found = [_any_attribute(m, option, (option, *args[1:])) for option in obj.options if type(option) not in CALLABLE]
        return reduce(join, found) if found else Data()
    if type(obj) is Instance:
        held = _held(m, obj)
        values = [value for value in held if type(value) not in CALLABLE]
        if isinstance(obj.cls, str) and obj.state is not None:
            values.append(get_attribute(m, obj, ANY))
        if obj.state is not None or isinstance(obj.cls, str) or len(values) < len(held):
            values.append(Method(obj, ANY))
        return reduce(join, values) if values else Data()
    if type(obj) is Data and deps_of(obj):
        return join(get_attribute(m, obj, "data"), Method(obj, ANY))
    if type(obj) is not Data and not is_const(obj):
        m.not_followed("an attribute is looked up by a name that is computed")
    return Data(union(deps_of(a) for a in args))


def _setattr(m: Machine, args: Args, keywords: Keywords) -> Value:
    from pgolf_check.static.effects.attributes import set_attribute

    if len(args) == 3 and isinstance(constant(args[1]), str):
        set_attribute(m, args[0], constant(args[1]), args[2])
    elif len(args) == 3 and type(args[0]) is Instance:
        for name in list(args[0].attrs):
            if type(args[0].attrs[name]) is Data:
                set_attribute(m, args[0], name, args[2])
    return None


def _hasattr(m: Machine, args: Args, keywords: Keywords) -> Value:
    from pgolf_check.static.effects.attributes import get_attribute

    if len(args) != 2 or not isinstance(constant(args[1]), str):
        return Data(scalar=True)
    obj = args[0]
    if type(obj) in (Instance, Class, ModuleScope):
        if type(obj) is Instance and isinstance(obj.cls, str):
            return constant(args[1]) in obj.attrs or Data(scalar=True)
        found = get_attribute(m, obj, constant(args[1]))
        return not (type(found) is Method or (type(obj) is ModuleScope and constant(args[1]) not in obj.names))
    return True if type(obj) is External else Data(scalar=True)


def _type(m: Machine, args: Args, keywords: Keywords) -> Value:
    value = args[0] if args else None
    if len(args) == 1 and type(value) is Instance and type(value.cls) is Class:
        return value.cls
    if len(args) == 3 and type(args[2]) is Mapping:
        bases = args[1].items if type(args[1]) is Sequence else ()
        external = tuple(base.path for base in bases if type(base) is External)
        name = constant(args[0])
        own = {str(key): held for key, held in args[2].items.items()}
        return Class(str(name), tuple(base for base in bases if type(base) is Class), external, own)
    return External("builtins.type." + type(value).__name__)


def _globals(m: Machine, args: Args, keywords: Keywords) -> Value:
    scope = m.modules.get("__main__")
    mapping = Mapping()
    if scope is not None:
        mapping.items = scope.names
    return mapping


def _vars(m: Machine, args: Args, keywords: Keywords) -> Value:
    from pgolf_check.static.effects.attributes import members

    if args and type(args[0]) in (Instance, Class):
        return members(args[0])
    return _globals(m, args, keywords)


def import_module(m: Machine, args: Args, keywords: Keywords) -> Value:
    from pgolf_check.static.calls import load_module

    name = constant(args[0]) if args else NO_CONST
    if not isinstance(name, str):
        m.not_followed("a module is imported by a name that is computed")
        return Data()
    own = load_module(m, name)
    return own if own is not None else External(name)


def module_of_file(m: Machine, args: Args, keywords: Keywords) -> Value:
    """`importlib.util.spec_from_file_location`: the module itself stands for its specification; what carries it out changes nothing more."""
    from pgolf_check.static.calls import load_module

    path = args[1] if len(args) > 1 else keywords.get("location", Data())
    stem = (parts_of(path)[-1] or "").rpartition("/")[2].removesuffix(".py")
    own = load_module(m, stem) if stem else None
    if own is None:
        m.not_followed("a module is loaded from a file that was not found")
        return Data()
    return own


def bound_method(m: Machine, args: Args, keywords: Keywords) -> Value:
    """`types.MethodType(function, object)`."""
    return Bound(args[0], args[1]) if len(args) > 1 else Data()


def object_getattribute(m: Machine, args: Args, keywords: Keywords) -> Value:
    """`object.__getattribute__(obj, name)`: past a method of that name in the object's own class."""
    name = constant(args[1]) if len(args) > 1 else NO_CONST
    if type(args[0]) is Instance and isinstance(name, str) and name in args[0].attrs:
        return args[0].attrs[name]
    return Data(union(deps_of(a) for a in args))


BUILTINS: dict[str, Effect] = {
    "object.__setattr__": _setattr,
    "object.__getattribute__": object_getattribute,
    "isinstance": _isinstance,
    "getattr": _getattr,
    "setattr": _setattr,
    "hasattr": _hasattr,
    "type": _type,
    "globals": _globals,
    "locals": _globals,
    "vars": _vars,
    "__import__": import_module,
}
