"""Functions of the dataclasses module: new objects with the fields of others."""

from __future__ import annotations

from pgolf_check.static.calls import instantiate
from pgolf_check.static.machine import Machine
from pgolf_check.static.records import union
from pgolf_check.static.values import NO_CONST, Class, Data, Instance, Mapping, Sequence, Value, deps_of, options


def replace(m: Machine, args: tuple[Value, ...], keywords: dict[str, Value]) -> Value:
    """dataclasses.replace: the object of the same class with some fields given anew."""
    for original in options(args[0]) if args else ():
        if type(original) is Instance and isinstance(original.cls, Class):
            names = _fields(original.cls)
            kept = {name: value for name, value in original.attrs.items() if name in names}
            return instantiate(m, original.cls, (), {**kept, **keywords})
    return Data(union(deps_of(v) for v in (*args, *keywords.values())))


def as_dict(m: Machine, args: tuple[Value, ...], keywords: dict[str, Value]) -> Value:
    """dataclasses.asdict: the fields by name, those that are dataclasses as dicts too."""
    return _table(args[0]) if args else Data()


def _table(value: Value) -> Value:
    if type(value) is Instance and type(value.cls) is Class and value.cls.fields:
        return Mapping({name: _table(value.attrs[name]) for name in _fields(value.cls) if name in value.attrs})
    return value


def is_dataclass(m: Machine, args: tuple[Value, ...], keywords: dict[str, Value]) -> Value:
    """dataclasses.is_dataclass: whether the class declares fields; numbers, tensors and containers have none."""
    found = {bool(_declared(value)) for value in options(args[0])} if args else set()
    return found.pop() if len(found) == 1 else Data(scalar=True)


def fields(m: Machine, args: tuple[Value, ...], keywords: dict[str, Value]) -> Value:
    """dataclasses.fields: what the class declares; nothing of what an object holds."""
    names = _declared(args[0]) if args else None
    if names is not None:
        return Sequence("tuple", tuple(_field(name) for name in names))
    return Sequence("tuple", (), _field(Data(parts=(None,), scalar=True)), True)


def _declared(value: Value) -> tuple[str, ...] | None:
    """The fields of a class, or of that of an object; None if it is not known."""
    cls = value.cls if type(value) is Instance else value
    return _fields(cls) if type(cls) is Class else None


def _field(name: Value) -> Instance:
    made = Instance("dataclasses.Field")
    made.attrs["name"] = name
    return made


def _fields(cls: Class) -> tuple[str, ...]:
    return tuple(dict.fromkeys([f for base in cls.bases for f in _fields(base)] + list(cls.fields)))


def field(m: Machine, args: tuple[Value, ...], keywords: dict[str, Value]) -> Value:
    """dataclasses.field: what a field is when it is not given, `held` as (default, factory)."""
    made = Instance("dataclasses.field")
    made.held = (keywords.get("default", Data()), keywords.get("default_factory", NO_CONST))
    return made
