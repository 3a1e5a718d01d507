"""Definitions, calls and imports: functions and classes of the source are entered, everything else goes to `effects`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from pgolf_check.model import Location
from pgolf_check.static import ir
from pgolf_check.static.joins import join
from pgolf_check.static.machine import MAX_DEPTH, Frame, Machine
from pgolf_check.static.records import union
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
    Native,
    Scope,
    Sequence,
    Value,
    Wrapped,
    deps_of,
    is_module_instance,
    unwrapped,
)

MAX_REPEATS = 3
MODE = "TorchFunctionMode"
VARIANTS = "__variants__"
"""The attribute of a `singledispatch` function with those that were registered for types."""


def define_function(m: Machine, node: ir.Function, scope: Scope) -> Value:
    from pgolf_check.static.expressions import evaluate

    defaults = {p.name: evaluate(m, p.default, scope) for p in node.params if p.default is not None}
    owner = scope.instance_class if scope.node is None else None
    value: Value = Function(node, scope, defaults, owner)
    for decorator in reversed(node.decorators):
        value = _decorated(m, evaluate(m, decorator, scope), value)
    return value


def _decorated(m: Machine, decorator: Value, value: Value) -> Value:
    if type(decorator) is External:
        name = decorator.path.rpartition(".")[2]
        if name in ("staticmethod", "classmethod", "property", "cached_property"):
            return Wrapped("property" if name == "cached_property" else name, value)
        if decorator.path.endswith("contextlib.contextmanager"):
            return value
    if type(decorator) is Method and type(decorator.receiver) is Wrapped:
        held = decorator.receiver
        return Wrapped(held.kind, held.function, value) if decorator.name == "setter" else held
    if type(decorator) is Method and decorator.name == "register" and type(decorator.receiver) is Function:
        variants = decorator.receiver.attrs.get(VARIANTS)
        items = variants.items if type(variants) is Sequence else ()
        m.heap.put_item(decorator.receiver.attrs, VARIANTS, Sequence("list", (*items, value)))
        return value
    if type(decorator) in (Function, Bound, Class):
        return call(m, decorator, (value,), {})
    return value


def define_class(m: Machine, node: ir.Class, scope: Scope, execute: Callable[..., Any]) -> Value:
    from pgolf_check.static.expressions import evaluate

    bases, external, named = [], [], {}
    for base in node.bases:
        value = evaluate(m, base.value, scope)
        if base.keyword is not None:
            named[base.keyword] = value
            continue
        if type(value) is Class:
            bases.append(value)
        elif type(value) is External:
            external.append(value.path)
    body = Scope(scope, None, scope.module)
    cls = Class(node.name, tuple(bases), tuple(external), body.names)
    body.instance_class = cls
    execute(m, node.body, body)
    cls.frozen = cls.frozen or any(base.frozen for base in bases) or any(_freezes(m, d, scope) for d in node.decorators)
    cls.fields = tuple(s.target.id for s in node.body if type(s) is ir.Annotated and type(s.target) is ir.Name)
    _made_class(m, cls, named)
    value = cls
    for decorator in reversed(node.decorators):
        made = evaluate(m, decorator, scope)
        if type(made) in (Function, Bound):
            result = call(m, made, (value,), {})
            value = result if type(result) is Class else value
    return value


def _made_class(m: Machine, cls: Class, named: dict[str, Value]) -> None:
    """What a class statement runs beside its body: the metaclass, and the hook of the bases for new subclasses."""
    from pgolf_check.static.effects.attributes import members

    metaclass = named.pop("metaclass", cls.metaclass)
    if type(metaclass) is Class:
        cls.metaclass = metaclass
        for name in ("__new__", "__init__"):
            function = unwrapped(metaclass.lookup(name))
            if type(function) is Function:
                call(m, function, (cls, cls.name, Sequence("tuple", cls.bases), members(cls)), {})
    for base in cls.bases:
        function = unwrapped(base.lookup("__init_subclass__"))
        if type(function) is Function:
            call(m, function, (cls,), named)
    if not cls.derives(MODE):
        _torch_functions(m, cls)


def _torch_functions(m: Machine, cls: Class) -> None:
    """Note a class that may take the place of every torch function. A mode does so once there is an object of it."""
    if type(cls.lookup("__torch_function__")) in (Function, Wrapped):
        m.not_followed("every torch function is replaced by __torch_function__ of a class")


def _freezes(m: Machine, decorator: ir.Node, scope: Scope) -> bool:
    """Whether a decorator reads like `dataclass(frozen=True)`."""
    from pgolf_check.static.expressions import evaluate

    return type(decorator) is ir.Call and any(a.keyword == "frozen" and evaluate(m, a.value, scope) is True for a in decorator.args)


def call(m: Machine, func: Value, args: tuple[Value, ...], keywords: dict[str, Value], scope: Scope | None = None) -> Value:
    """Call any value."""
    kind = type(func)
    if kind is Function:
        if VARIANTS in func.attrs:
            return _variant(m, func, args, keywords)
        return call_function(m, func, args, keywords)
    if kind is Bound:
        return call(m, func.function, (func.receiver, *args), keywords, scope)
    if kind is Class:
        return instantiate(m, func, args, keywords)
    if kind is Native:
        return func.function(m, args, keywords)
    if kind is External:
        from pgolf_check.static.effects.table import call_external

        return call_external(m, func.path, args, keywords, scope)
    if kind is Method:
        from pgolf_check.static.effects.table import call_method

        return call_method(m, func.receiver, func.name, args, keywords)
    if kind is Instance:
        return call_instance(m, func, args, keywords)
    if kind is Wrapped:
        return call(m, func.function, args, keywords, scope)
    if kind is Choice:
        return _call_choice(m, func, args, keywords, scope)
    from pgolf_check.static.effects.signature import pure

    return pure(m, (func, *args), keywords)


def _variant(m: Machine, func: Function, args: tuple[Value, ...], keywords: dict[str, Value]) -> Value:
    """A function that chooses by the type of its argument: any of its variants."""
    result = call_function(m, func, args, keywords)
    for variant in func.attrs[VARIANTS].items:
        result = join(result, call(m, variant, args, keywords))
    return result


def _call_choice(m: Machine, func: Choice, args: tuple[Value, ...], keywords: dict[str, Value], scope: Scope | None) -> Value:
    callables = [f for f in func.options if f is not None]
    result: Value = NO_REST
    for option in callables:
        value = call(m, option, args, keywords, scope)
        result = value if result is NO_REST else join(result, value)
    return Data() if result is NO_REST else result


def call_instance(m: Machine, instance: Instance, args: tuple[Value, ...], keywords: dict[str, Value]) -> Value:
    """Call an object: `__call__`, a module's `forward` with its hooks, or what `effects` says of an external one."""
    from pgolf_check.static.effects.modules import call_external_instance, run_hooks

    cls = instance.cls
    if isinstance(cls, str):
        result = call_external_instance(m, instance, args, keywords)
    else:
        method = instance.attrs.get("forward", NO_CONST) if instance.state is not None else NO_CONST
        if method is not NO_CONST:
            result = call(m, method, args, keywords)
        else:
            method = cls.lookup("__call__")
            if method is NO_CONST:
                method = cls.lookup("forward")
            if method is NO_CONST:
                return Data(union((deps_of(instance), *(deps_of(a) for a in args))))
            result = call(m, Bound(method, instance), args, keywords)
    run_hooks(m, instance, args, result)
    return result


def call_function(m: Machine, func: Function, args: tuple[Value, ...], keywords: dict[str, Value]) -> Value:
    node = func.node
    depth = sum(1 for f in m.frames if f.node is node)
    if len(m.frames) >= MAX_DEPTH or depth >= MAX_REPEATS:
        m.acts += 1
        return Data(union(deps_of(a) for a in (*args, *keywords.values())))
    if type(func.scope) is ModuleScope:
        return m.memory.call(m, func, args, keywords, lambda: _enter(m, func, args, keywords))
    return _enter(m, func, args, keywords)


def _enter(m: Machine, func: Function, args: tuple[Value, ...], keywords: dict[str, Value]) -> Value:
    node = func.node
    scope = Scope(func.scope, node, func.scope.module)
    if func.owner_class is not None:
        scope.instance_class = func.owner_class
    _bind_parameters(m, func, scope, args, keywords)
    if node.generator:
        scope.yields = []
    call_at, path = m.at, m.path
    frame = Frame(node.name, m.here() if path else Location(""), node, _of_module(func, args))
    m.frames.append(frame)
    loops = m.loop_frames
    m.loop_frames = []
    m.path = func.scope.module.path
    try:
        end = m.execute(m, node.body, scope)
    finally:
        m.frames.pop()
        m.loop_frames = loops
        m.path, m.at = path, call_at
    for delta in frame.returned:
        m.heap.merge(delta)
    if scope.yields is not None:
        return _generated(scope.yields)
    if not end or not frame.values:
        frame.values.append(None)
    return _result(frame.values)


def _of_module(func: Function, args: tuple[Value, ...]) -> bool:
    """Whether a call is that of a method of a module."""
    return func.owner_class is not None and bool(args) and is_module_instance(args[0])


def _generated(yields: list[Value]) -> Value:
    sequence = Sequence("generator")
    for value in yields:
        sequence.rest = value if sequence.rest is NO_REST else join(sequence.rest, value)
    return sequence


def _result(values: list[Value]) -> Value:
    result = values[0]
    for value in values[1:]:
        result = _join_results(result, value)
    return result


def _join_results(a: Value, b: Value) -> Value:
    """Tuples of one length are joined item by item, so that unpacking keeps what belongs together."""
    if type(a) is Sequence and type(b) is Sequence and a.kind == b.kind == "tuple" and len(a.items) == len(b.items):
        return Sequence("tuple", tuple(_join_results(x, y) for x, y in zip(a.items, b.items, strict=True)))
    return join(a, b)


def _bind_parameters(m: Machine, func: Function, scope: Scope, args: tuple[Value, ...], keywords: dict[str, Value]) -> None:
    names = scope.names
    left = dict(keywords)
    position = 0
    for param in func.node.params:
        if param.kind == "*":
            names[param.name] = Sequence("tuple", args[position:])
            position = len(args)
        elif param.kind == "**":
            names[param.name] = Mapping(dict(left))
            left = {}
        elif param.kind == "positional" and position < len(args):
            names[param.name] = args[position]
            position += 1
        elif param.name in left:
            names[param.name] = left.pop(param.name)
        else:
            names[param.name] = func.defaults.get(param.name, Data())


def instantiate(m: Machine, cls: Class, args: tuple[Value, ...], keywords: dict[str, Value]) -> Value:
    from pgolf_check.static.effects.modules import is_module, is_optimizer, new_optimizer

    calling = cls.metaclass.lookup("__call__") if cls.metaclass is not None else NO_CONST
    if type(calling) is Function and all(f.node is not calling.node for f in m.frames):
        return call(m, calling, (cls, *args), keywords)
    if is_optimizer(cls):
        return new_optimizer(cls, args, keywords)
    if cls.derives(MODE):
        _torch_functions(m, cls)
    module = is_module(cls)
    state = None
    if module:
        state = m.constructing[-1] if m.constructing else m.new_state(cls.name)
    instance = Instance(cls, state)
    if cls.derives("dict", "Exception", "TypedDict"):
        instance.held = args
    init = cls.lookup("__init__")
    if state is not None:
        m.constructing.append(state)
    try:
        if init is not NO_CONST and type(init) in (Function, Wrapped):
            call(m, Bound(init, instance), args, keywords)
        elif cls.fields or cls.bases:
            _bind_fields(m, cls, instance, args, keywords)
    finally:
        if state is not None:
            m.constructing.pop()
    return instance


def _bind_fields(m: Machine, cls: Class, instance: Instance, args: tuple[Value, ...], keywords: dict[str, Value]) -> None:
    """A dataclass or named tuple: fields from the arguments."""
    fields = tuple(dict.fromkeys([f for base in cls.bases for f in base.fields] + list(cls.fields)))
    for name, value in (*zip(fields, args, strict=False), *keywords.items()):
        m.heap.put_item(instance.attrs, name, value)
    for name in fields:
        default = cls.lookup(name)
        if name not in instance.attrs and default is not NO_CONST:
            m.heap.put_item(instance.attrs, name, _field_default(m, default))
    post = cls.lookup("__post_init__")
    if type(post) is Function:
        call(m, Bound(post, instance), (), {})


def _field_default(m: Machine, default: Value) -> Value:
    """The value of a field that is not given; `field(default_factory=f)` calls f."""
    if type(default) is not Instance or default.cls != "dataclasses.field":
        return default
    value, factory = default.held
    return value if factory is NO_CONST else call(m, factory, (), {})


def load_module(m: Machine, name: str) -> ModuleScope | None:
    """A module of the submission, executed at its first import."""
    if name in m.modules:
        return m.modules[name]
    found = m.find_module(name)
    if found is None:
        return None
    path, lowered = found
    m.acts += 1
    scope = ModuleScope(path, name)
    m.modules[name] = scope
    scope.names.update({"__name__": name, "__file__": path, "__doc__": None})
    saved = m.path, m.at, m.frames, m.loop_frames
    m.path, m.loop_frames = path, []
    try:
        m.execute(m, lowered.body, scope)
    finally:
        m.path, m.at, m.frames, m.loop_frames = saved
    return scope


def import_modules(m: Machine, node: ir.Import) -> Iterator[tuple[str, Value]]:
    for module, bound, top in node.items:
        own = load_module(m, module)
        if own is not None and not top:
            yield bound, own
        elif own is not None and "." not in module:
            yield bound, own
        else:
            yield bound, External(module.partition(".")[0] if top else module)


def _imported(m: Machine, own: ModuleScope, module: str, name: str) -> Value:
    """A name of a module of the submission, or a module that lies in that package."""
    if name in own.names:
        return own.names[name]
    sub = load_module(m, f"{module}.{name}")
    return sub if sub is not None else Data()


def import_from(m: Machine, node: ir.ImportFrom) -> Iterator[tuple[str, Value]]:
    own = load_module(m, node.module) if node.module else None
    for name, bound in node.items:
        if own is not None:
            if name == "*":
                yield from list(own.names.items())
            else:
                yield bound, _imported(m, own, node.module, name)
        elif name != "*":
            sub = load_module(m, f"{node.module}.{name}" if node.module else name)
            yield bound, sub if sub is not None else External(f"{node.module}.{name}")
