"""Functions of the standard library on functions, containers and objects: functools, operator, itertools, collections, copy."""

from __future__ import annotations

from pgolf_check.static.effects import records
from pgolf_check.static.effects.access import get_item
from pgolf_check.static.effects.builtins import BUILTINS, partial
from pgolf_check.static.effects.modules import deep_copy
from pgolf_check.static.effects.reflection import import_module, module_of_file
from pgolf_check.static.effects.sequences import iterate
from pgolf_check.static.effects.signature import Args, Effect, Keywords, by_name, first, known
from pgolf_check.static.joins import join
from pgolf_check.static.machine import Machine
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
    Native,
    Sequence,
    Value,
    constant,
)


def _decorator(m: Machine, args: Args, keywords: Keywords) -> Value:
    """torch.compile(f), torch.no_grad()(f), lru_cache(f): the function; without arguments a context or a decorator."""
    if args and type(args[0]) in (Function, Bound, Instance, Class, Choice, External, Method):
        return args[0]
    return External("pgolf.decorator")


def _deepcopy(m: Machine, args: Args, keywords: Keywords) -> Value:
    return deep_copy(m, args[0]) if args else Data()


def _deque(m: Machine, args: Args, keywords: Keywords) -> Value:
    if args and type(args[0]) is Sequence:
        return Sequence("list", args[0].items, args[0].rest, args[0].rest is not NO_REST)
    return Sequence("list")


def _default_dict(m: Machine, args: Args, keywords: Keywords) -> Value:
    from pgolf_check.static.calls import call

    factory = args[0] if args else None
    return Mapping({}, call(m, factory, (), {}) if factory is not None else NO_REST)


def _namespace(m: Machine, args: Args, keywords: Keywords) -> Value:
    made = Instance("types.SimpleNamespace")
    made.attrs.update(keywords)
    return made


def _attrgetter(m: Machine, args: Args, keywords: Keywords) -> Value:
    from pgolf_check.static.effects.access import get_attribute

    name = constant(args[0]) if args else NO_CONST
    if not isinstance(name, str):
        return Data()

    def get(machine: Machine, values: Args, named: Keywords) -> Value:
        value = values[0]
        for part in name.split("."):
            value = get_attribute(machine, value, part)
        return value

    return Native(get)


def _methodcaller(m: Machine, args: Args, keywords: Keywords) -> Value:
    from pgolf_check.static.calls import call
    from pgolf_check.static.effects.access import get_attribute

    name = constant(args[0]) if args else NO_CONST
    if not isinstance(name, str):
        m.not_followed("a method is called by a name that is computed")
        return Data()
    return Native(lambda machine, values, named: call(machine, get_attribute(machine, values[0], name), args[1:], keywords))


def _itemgetter(m: Machine, args: Args, keywords: Keywords) -> Value:
    return Native(lambda machine, values, named: get_item(machine, values[0], args[0]))


def _chain(m: Machine, args: Args, keywords: Keywords) -> Value:
    rest: Value = NO_REST
    for arg in args:
        value = iterate(m, arg)
        rest = value if rest is NO_REST else join(rest, value)
    return Sequence("generator", (), rest, rest is not NO_REST)


def _compile_source(m: Machine, args: Args, keywords: Keywords) -> Value:
    made = Instance("builtins.code")
    made.held = args
    return made


def _checkpointed(m: Machine, args: Args, keywords: Keywords) -> Value:
    from pgolf_check.static.calls import call

    return call(m, args[0], args[1:], {}) if args else Data()


FUNCTIONS: dict[str, Effect] = {
    "builtins.compile": _compile_source,
    "copy.deepcopy": _deepcopy,
    "copy.copy": _deepcopy,
    "functools.partial": partial,
    "operator.attrgetter": _attrgetter,
    "dataclasses.replace": records.replace,
    "dataclasses.asdict": records.as_dict,
    "dataclasses.field": records.field,
    "operator.methodcaller": _methodcaller,
    "operator.itemgetter": _itemgetter,
    "itertools.chain": _chain,
    "itertools.chain.from_iterable": _chain,
    "collections.deque": _deque,
    "collections.OrderedDict": BUILTINS["dict"],
    "collections.defaultdict": _default_dict,
    "types.SimpleNamespace": _namespace,
    "argparse.Namespace": _namespace,
    "importlib.import_module": import_module,
    "importlib.util.spec_from_file_location": module_of_file,
    "importlib.util.module_from_spec": first,
    "queue.Queue": _deque,
    "torch.utils.checkpoint.checkpoint": _checkpointed,
}

BY_NAME: dict[tuple[str, str], Effect] = {
    **by_name("torch", "compile no_grad inference_mode enable_grad disable allow_in_graph script", _decorator),
    **by_name("functools", "lru_cache cache wraps", _decorator),
    **by_name("contextlib", "nullcontext", known(None)),
    **by_name("torch", "fx symbolic_trace", first),
}
