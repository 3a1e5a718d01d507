"""Attributes: reading and writing them, through the descriptors and special methods of the source."""

from __future__ import annotations

from pgolf_check.static.effects.special import special
from pgolf_check.static.joins import join
from pgolf_check.static.machine import Machine
from pgolf_check.static.records import NO_DEPS, State
from pgolf_check.static.values import (
    NO_CONST,
    NO_REST,
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
    Scope,
    Value,
    Wrapped,
    deps_of,
)

PARTIAL_METHOD = "functools.partialmethod"
MEMBERS = frozenset(("_modules", "_parameters", "_buffers"))
"""Registers of a module, which hold its attributes, too."""
ALIAS_ATTRIBUTES = frozenset(("data", "T", "mT", "real", "flat", "H", "ctypes"))
PLAIN_ATTRIBUTES = frozenset(("shape", "device", "dtype", "ndim", "size", "itemsize", "nbytes", "is_cuda", "requires_grad", "type"))


def get_attribute(m: Machine, value: Value, name: str) -> Value:
    kind = type(value)
    if kind is Instance:
        return _instance_attribute(m, value, name)
    if kind is ModuleScope or kind is Scope:
        found = value.names.get(name, Data())
        m.memory.note(value.module, name, value.names.get(name, NO_CONST))
        return found
    if kind is Class:
        return _class_attribute(value, name)
    if kind is External:
        return _external_attribute(value, name)
    if kind is Data:
        return data_attribute(m, value, name)
    if kind is Choice:
        result: Value = NO_REST
        for option in value.options:
            if option is not None:
                found = get_attribute(m, option, name)
                result = found if result is NO_REST else join(result, found)
        return Data() if result is NO_REST else result
    if kind is Function:
        return value.attrs.get(name, value.node.name if name == "__name__" else Method(value, name))
    return Method(value, name)


def _external_attribute(value: External, name: str) -> Value:
    from pgolf_check.static.effects.table import CONSTANT_ATTRIBUTES

    path = f"{value.path}.{name}"
    return CONSTANT_ATTRIBUTES.get(path, None) if path in CONSTANT_ATTRIBUTES else External(path)


def _class_attribute(cls: Class, name: str) -> Value:
    if name == "__name__":
        return cls.name
    found = cls.lookup(name)
    if found is NO_CONST:
        return Method(cls, name)
    if type(found) is Wrapped:
        return Bound(found.function, cls) if found.kind == "classmethod" else found.function
    return found


def _instance_attribute(m: Machine, value: Instance, name: str) -> Value:
    from pgolf_check.static.calls import call
    from pgolf_check.static.effects.modules import external_attribute

    every = special(m, value, "__getattribute__", name)
    if every is not NO_CONST:
        return every
    if name in value.attrs:
        return value.attrs[name]
    if name in MEMBERS and value.state is not None and type(value.cls) is Class:
        return members(value)
    if type(value.cls) is Class:
        found = value.cls.lookup(name)
        if found is not NO_CONST:
            if type(found) is Wrapped:
                if found.kind == "property":
                    return call(m, found.function, (value,), {})
                return found.function if found.kind == "staticmethod" else Bound(found.function, value.cls)
            if type(found) is Instance:
                return _from_class(m, value, found)
            return Bound(found, value) if type(found) is Function else found
        if name == "__class__":
            return value.cls
        if name == "__dict__":
            return members(value)
    absent = special(m, value, "__getattr__", name) if value.state is None else NO_CONST
    return external_attribute(m, value, name) if absent is NO_CONST else absent


def members(value: Instance | Class) -> Mapping:
    """`__dict__`: writing into it sets attributes; the registers of a module hold them, too."""
    made = Mapping()
    made.items = value.attrs
    if type(value) is Instance and value.state is not None:
        made.items = {**value.attrs, **dict.fromkeys(MEMBERS, Mapping(dict(value.attrs)))}
    return made


def _from_class(m: Machine, value: Instance, found: Instance) -> Value:
    """An object that stands in the class: a descriptor, a method with some arguments given, or just that."""
    if found.cls == PARTIAL_METHOD:
        made = Instance("functools.partial")
        made.held = (Bound(found.held[0], value), *found.held[1:])
        return made
    got = special(m, found, "__get__", value, value.cls)
    return found if got is NO_CONST else got


def data_attribute(m: Machine, value: Data, name: str) -> Value:
    if name in ALIAS_ATTRIBUTES:
        return alias(value)
    if name == "grad":
        return Data(m.gradient(value.owner.grad, value.owner) if value.owner is not None else NO_DEPS)
    if name in PLAIN_ATTRIBUTES:
        return Data(tags=value.tags, scalar=True)
    return Method(value, name)


def alias(value: Data) -> Data:
    """Another name of the same memory."""
    if value.owner is not None:
        return value
    return Data(value.deps, value.tags, bases=(value,), tokens=value.tokens, parts=value.parts)


def set_attribute(m: Machine, obj: Value, name: str, value: Value) -> None:
    kind = type(obj)
    if kind is Instance:
        _set_instance_attribute(m, obj, name, value)
    elif kind is ModuleScope:
        m.heap.put_item(obj.names, name, value)
    elif kind is Class:
        m.heap.put_item(obj.attrs, name, value)
    elif kind is Function:
        m.heap.put_item(obj.attrs, name, value)
    elif kind is Data:
        if name == "data":
            m.write(obj, deps_of(value), replace=True)
        elif name == "grad" and obj.owner is not None:
            m.heap.put(obj.owner, "grad", obj.owner.grad | frozenset(d for d in deps_of(value) if type(d) is not State))
    elif kind is Choice:
        for option in obj.options:
            if option is not None:
                set_attribute(m, option, name, value)


def _set_instance_attribute(m: Machine, obj: Instance, name: str, value: Value) -> None:
    """A module's tensor that is replaced changes the module; so does a parameter that was made from tokens."""
    from pgolf_check.static.calls import call

    held = obj.cls.lookup(name) if type(obj.cls) is Class else NO_CONST
    if type(held) is Wrapped and held.setter is not None:
        call(m, held.setter, (obj, value), {})
        return
    if special(m, held, "__set__", obj, value) is not NO_CONST:
        return
    present = obj.attrs.get(name)
    m.heap.put_item(obj.attrs, name, value)
    if obj.state is None or type(value) is not Data:
        return
    if value.owner is not None:
        m.update(value.owner, value.deps, "write")
    elif type(obj.cls) is str and name in ("weight", "bias") and type(present) is Data and present.owner is not None:
        m.write(present, deps_of(value), replace=True)
