"""Modules, parameters, state dicts and optimizers, of torch and of the classes that the source derives from them."""

from __future__ import annotations

from collections.abc import Iterator

from pgolf_check.static.effects.mixing import through_module
from pgolf_check.static.effects.streams import shipped
from pgolf_check.static.joins import join
from pgolf_check.static.machine import Machine
from pgolf_check.static.records import NO_DEPS, State, reads_of, union, updates_of
from pgolf_check.static.values import (
    NO_CONST,
    NO_REST,
    Bound,
    Choice,
    Class,
    Data,
    Function,
    Instance,
    Mapping,
    Method,
    Sequence,
    Value,
    deps_of,
)

CONTAINERS = frozenset(("ModuleList", "Sequential", "ParameterList", "ModuleDict", "ParameterDict"))
CONTAINER_METHODS = frozenset("append extend insert items keys values update get pop".split())
WRAPPERS = frozenset(("DistributedDataParallel", "DDP", "DataParallel", "FullyShardedDataParallel"))
MAX_WALK = 400


def is_module(cls: Class) -> bool:
    """Whether a class is a module: of `Module` itself, or of a layer of torch.nn."""
    layers = any(path.startswith("torch.nn.") and path.rpartition(".")[2][:1].isupper() for path in cls.external)
    return layers or cls.derives("Module", "LightningModule") or any(is_module(base) for base in cls.bases)


def is_optimizer(cls: Class) -> bool:
    return cls.derives("Optimizer", "Adam", "AdamW", "SGD")


def walk(value: Value, seen: set[int] | None = None) -> Iterator[Value]:
    """Every object reachable from a value: itself, container elements, attributes."""
    seen = set() if seen is None else seen
    if id(value) in seen or len(seen) > MAX_WALK:
        return
    kind = type(value)
    if kind is Instance:
        seen.add(id(value))
        yield value
        for part in (*value.attrs.values(), *value.held):
            yield from walk(part, seen)
    elif kind is Sequence:
        seen.add(id(value))
        for part in (*value.items, *(() if value.rest is NO_REST else (value.rest,))):
            yield from walk(part, seen)
    elif kind is Mapping:
        seen.add(id(value))
        for part in (*value.items.values(), *(() if value.rest is NO_REST else (value.rest,))):
            yield from walk(part, seen)
    elif kind is Choice:
        for part in value.options:
            yield from walk(part, seen)
    elif kind is Data:
        seen.add(id(value))
        yield value
    elif kind is Bound:
        yield from walk(value.receiver, seen)


def states_in(value: Value) -> list[State]:
    """The states that a value holds: its modules and parameters, in the order of discovery."""
    found: dict[int, State] = {}
    for part in walk(value):
        state = part.owner if type(part) is Data else part.state
        if state is not None:
            found.setdefault(id(state), state)
    return list(found.values())


def parameters(value: Value) -> Value:
    """All parameters of a module: one alias per state."""
    aliases = tuple(Data(owner=s) for s in states_in(value))
    if len(aliases) == 1:
        return Sequence("generator", (), aliases[0], True)
    result: Value = NO_REST
    for alias in aliases:
        result = alias if result is NO_REST else join(result, alias)
    return Sequence("generator", (), result, result is not NO_REST)


def named(parameters_: Value) -> Value:
    if type(parameters_) is Sequence and parameters_.rest is not NO_REST:
        return Sequence("generator", (), Sequence("tuple", (Data(parts=(None,), scalar=True), parameters_.rest)), True)
    return Sequence("generator")


def state_dict(value: Value) -> Mapping:
    found = parameters(value)
    return Mapping({}, found.rest)


def load_state(m: Machine, target: Value, source: Value, *, partial: bool = False) -> None:
    """load_state_dict: the state becomes what the source had seen."""
    deps = deps_of(source, 6)
    for part in walk(target):
        if type(part) is Data and part.owner is None and shipped(part.deps) != part.deps:
            m.heap.put(part, "deps", shipped(part.deps))
    for state in states_in(target):
        if partial:
            m.update(state, deps, "write")
        else:
            m.heap.put(state, "seen", updates_of(deps))
            if reads_of(deps):
                m.update(state, deps, "write")


def submodules(value: Value) -> Value:
    """modules(): one of each class, the module itself first."""
    by_class: dict[object, Instance] = {}
    for part in walk(value):
        if type(part) is Instance and part.state is not None:
            key = part.cls if isinstance(part.cls, str) else id(part.cls)
            by_class.setdefault(key, part)
    return Sequence("list", tuple(list(by_class.values())[:16]))


MODULE_METHODS = frozenset(
    """parameters named_parameters state_dict load_state_dict modules named_modules children named_children train eval to cuda cpu
    half float double bfloat16 compile requires_grad_ zero_grad apply register_buffer register_parameter register_forward_hook
    register_forward_pre_hook register_full_backward_hook register_backward_hook share_memory buffers named_buffers add_module register_module get_submodule""".split()
)


def module_method(m: Machine, receiver: Instance, name: str, args: tuple[Value, ...], keywords: dict[str, Value]) -> Value:
    from pgolf_check.static.calls import call

    if name in ("parameters", "buffers"):
        return parameters(receiver)
    if name in ("named_parameters", "named_buffers"):
        return named(parameters(receiver))
    if name == "state_dict":
        return state_dict(receiver)
    if name == "load_state_dict":
        source = args[0] if args else keywords.get("state_dict")
        load_state(m, receiver, source, partial=keywords.get("strict") is False)
        return None
    if name in ("modules", "children"):
        return submodules(receiver)
    if name in ("named_modules", "named_children"):
        parts = submodules(receiver)
        return Sequence("list", tuple(Sequence("tuple", (Data(parts=(None,), scalar=True), part)) for part in parts.items))
    if name in ("train", "eval"):
        given = args[0] if args else keywords.get("mode", True)
        mode = given if isinstance(given, bool) or type(given) is Choice else Data(scalar=True)
        m.heap.put(receiver.state, "training", mode if name == "train" else False)
        return receiver
    if (
        name in ("register_buffer", "register_parameter", "add_module", "register_module")
        and len(args) > 1
        and isinstance(args[0], str)
    ):
        m.heap.put_item(receiver.attrs, args[0], args[1])
        return None
    if name in ("register_forward_hook", "register_forward_pre_hook") and args:
        hooks = receiver.attrs.get("__hooks__", ())
        m.heap.put_item(receiver.attrs, "__hooks__", Sequence("list", (*getattr(hooks, "items", ()), args[0])))
        handle = Instance(HANDLE)
        handle.held = (receiver, args[0])
        return handle
    if name in ("register_full_backward_hook", "register_backward_hook") and args:
        m.on_backward(args[0], (receiver, None, None))
        return None
    if name == "zero_grad":
        clear_gradients(m, receiver)
        return None
    if name == "apply":
        for part in submodules(receiver).items:
            call(m, args[0], (part,), {})
    return receiver


def remove_hook(m: Machine, handle: Instance) -> None:
    """`handle.remove()`: the module forgets the hook that it registered when the handle was made."""
    module, hook = handle.held
    hooks = module.attrs.get("__hooks__")
    if type(hooks) is Sequence:
        m.heap.put_item(module.attrs, "__hooks__", Sequence("list", tuple(h for h in hooks.items if h is not hook)))


def run_hooks(m: Machine, instance: Instance, args: tuple[Value, ...], result: Value) -> None:
    from pgolf_check.static.calls import call

    hooks = instance.attrs.get("__hooks__")
    if type(hooks) is Sequence:
        for hook in hooks.items:
            call(m, hook, (instance, Sequence("tuple", args), result), {})


def clear_gradients(m: Machine, value: Value) -> None:
    for state in states_in(value):
        if state.grad:
            m.heap.put(state, "grad", NO_DEPS)


def new_optimizer(cls: Class | str, args: tuple[Value, ...], keywords: dict[str, Value]) -> Instance:
    optimizer = Instance(cls)
    optimizer.held = (*args, *keywords.values())
    group = Mapping({"params": args[0] if args else keywords.get("params")}, Data(scalar=True))
    optimizer.attrs["param_groups"] = Sequence("list", (), group, True)
    optimizer.attrs["state"] = Mapping({}, Mapping({}, Data()))
    optimizer.attrs["defaults"] = Mapping({}, Data(scalar=True))
    return optimizer


OPTIMIZER_METHODS = frozenset(("step", "zero_grad", "state_dict", "load_state_dict", "add_param_group", "update"))


def _step(m: Machine, optimizer: Instance, args: tuple[Value, ...]) -> Value:
    """step(closure=None): the closure computes the loss and its gradients, and its result is that of the step."""
    from pgolf_check.static.calls import call

    loss = next((call(m, arg, (), {}) for arg in args if type(arg) in (Function, Bound)), None)
    for state in states_in(optimizer):
        if state.grad:
            m.update(state, state.grad, "gradient")
    return loss


def optimizer_method(m: Machine, receiver: Instance, name: str, args: tuple[Value, ...]) -> Value:
    m.acts += 1
    if name == "step":
        return _step(m, receiver, args)
    if name == "zero_grad":
        clear_gradients(m, receiver)
        return None
    if name == "add_param_group":
        m.heap.put(receiver, "held", (*receiver.held, *args))
        return None
    return Mapping({}, Data()) if name == "state_dict" else None


def new_module(m: Machine, path: str, args: tuple[Value, ...], keywords: dict[str, Value]) -> Value:
    """An object of a class in torch.nn."""
    name = path.rpartition(".")[2]
    if name in WRAPPERS and args:
        return args[0]
    if name in ("Parameter", "UninitializedParameter", "Buffer"):
        return m.parameter(union(deps_of(a) for a in args[:1]), next((a.rows for a in args[:1] if type(a) is Data), None))
    state = m.constructing[-1] if m.constructing else m.new_state(name)
    instance = Instance(path, state)
    if name in CONTAINERS:
        first = args[0] if args else Sequence("list")
        items = Sequence("list", args) if name == "Sequential" and args else first
        instance.attrs["__items__"] = _copied(items)
        if state is not None and not m.constructing:
            own = states_in(items)
            instance.state = own[0] if own else state
    return instance


def _copied(items: Value) -> Value:
    if type(items) is Sequence:
        return Sequence("list", items.items, items.rest, items.rest is not NO_REST)
    return items


def call_external_instance(m: Machine, instance: Instance, args: tuple[Value, ...], keywords: dict[str, Value]) -> Value:
    """Call an object of an external class."""
    from pgolf_check.static.calls import call

    path = str(instance.cls)
    if path == "functools.partial":
        func, bound, named_ = instance.held[0], instance.held[1], instance.held[2]
        return call(m, func, (*bound.items, *args), {**named_.items, **keywords})
    items = instance.attrs.get("__items__")
    if type(items) is Sequence and path.endswith("Sequential"):
        value: Value = args[0] if args else Data()
        for item in (*items.items, *(() if items.rest is NO_REST else (items.rest,))):
            value = call(m, item, (value,), {})
        return value
    if path.endswith(("CrossEntropyLoss", "NLLLoss")) and len(args) > 1:
        return Data(m.score(deps_of(args[0]), deps_of(args[1])))
    inner = instance.attrs.get("__function__")
    if inner is not None:
        return call(m, inner, args, keywords)
    deps = union((deps_of(instance), *(deps_of(a) for a in (*args, *keywords.values()))))
    return Data(through_module(m, path, args, keywords, deps))


HANDLE = "torch.utils.hooks.RemovableHandle"
WRAPPED = ("module", "_orig_mod")
"""Where DistributedDataParallel and torch.compile keep the module that they wrap; here the wrapper is the module."""


def external_attribute(m: Machine, value: Instance, name: str) -> Value:
    """An attribute that the source never set."""
    if value.cls == "builtins.super":
        return _super_attribute(value, name)
    if name == "training":
        return True if value.state is None else value.state.training
    if name in WRAPPED and value.state is not None:
        return value
    if name in CONTAINER_METHODS and "__items__" in value.attrs:
        return Method(value, name)
    if isinstance(value.cls, str) and value.state is not None and name not in MODULE_METHODS and not name.startswith("__"):
        if name in ("in_features", "out_features", "num_embeddings", "embedding_dim", "kernel_size"):
            return Data(scalar=True)
        leaf = m.identity()
        m.heap.put(value.state, "leaves", value.state.leaves | {leaf})
        parameter = Data(owner=value.state, leaf=leaf)
        value.attrs[name] = parameter
        return parameter
    return Method(value, name)


def _super_attribute(proxy: Instance, name: str) -> Value:
    cls, receiver = proxy.held
    for base in cls.bases:
        found = base.lookup(name)
        if type(found) is Function:
            return Bound(found, receiver)
    return Method(receiver, name) if name != "__init__" else Method(None, "__init__")


def deep_copy(m: Machine, value: Value, memo: dict[int, Value] | None = None) -> Value:
    """copy.deepcopy: new objects and new states that have seen the same."""
    memo = {} if memo is None else memo
    if id(value) in memo:
        return memo[id(value)]
    kind = type(value)
    if kind is Data:
        copied: Value = Data(value.deps, value.tags, const=value.const, tokens=value.tokens, parts=value.parts, scalar=value.scalar)
        if value.owner is not None:
            copied.owner, copied.leaf = _copied_state(m, value.owner, memo), value.leaf
        memo[id(value)] = copied
        return copied
    if kind is Instance:
        twin = Instance(value.cls, None if value.state is None else _copied_state(m, value.state, memo))
        memo[id(value)] = twin
        twin.attrs = {k: deep_copy(m, v, memo) for k, v in value.attrs.items()}
        twin.held = tuple(deep_copy(m, v, memo) for v in value.held)
        return twin
    if kind is Sequence:
        rest = value.rest if value.rest is NO_REST else deep_copy(m, value.rest, memo)
        return Sequence(value.kind, tuple(deep_copy(m, v, memo) for v in value.items), rest, rest is not NO_REST)
    if kind is Mapping:
        rest = value.rest if value.rest is NO_REST else deep_copy(m, value.rest, memo)
        mapping = Mapping({k: deep_copy(m, v, memo) for k, v in value.items.items()}, rest)
        mapping.owner = value.owner if value.owner is None else _copied_state(m, value.owner, memo)
        return mapping
    if kind is Choice:
        return Choice(tuple(deep_copy(m, v, memo) for v in value.options))
    return value


def _copied_state(m: Machine, state: State, memo: dict[int, Value]) -> State:
    if id(state) not in memo:
        memo[id(state)] = State(state.name, m.here(), state.seen, leaves=state.leaves, fresh=state.fresh, training=state.training)
    found = memo[id(state)]
    assert isinstance(found, State)
    return found


__all__ = ["NO_CONST", "call_external_instance", "deep_copy", "is_module", "is_optimizer", "new_module", "parameters", "states_in"]
