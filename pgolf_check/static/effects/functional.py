"""Functions of the standard library on functions, containers and objects: functools, operator, itertools, collections, copy."""

from __future__ import annotations

import codecs
from contextlib import suppress

from pgolf_check.static.effects import records
from pgolf_check.static.effects.attributes import PARTIAL_METHOD
from pgolf_check.static.effects.builtins import BUILTINS, partial
from pgolf_check.static.effects.mixtures import digest_of
from pgolf_check.static.effects.modules import deep_copy
from pgolf_check.static.effects.numbers import binary
from pgolf_check.static.effects.reflection import bound_method, import_module, module_of_file
from pgolf_check.static.effects.sequences import elements, iterate
from pgolf_check.static.effects.signature import Args, Effect, Keywords, by_name, first, known
from pgolf_check.static.effects.subscripts import get_item, set_item
from pgolf_check.static.joins import join
from pgolf_check.static.machine import Machine
from pgolf_check.static.records import has_reads, reads_of
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
    deps_of,
)

OPERATORS = {
    "add": "+", "sub": "-", "mul": "*", "truediv": "/", "floordiv": "//", "mod": "%", "xor": "^", "and_": "&", "or_": "|", "lshift": "<<",
    "rshift": ">>", "pow": "**", "matmul": "@",
}  # fmt: skip


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
    from pgolf_check.static.effects.attributes import get_attribute

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
    from pgolf_check.static.effects.attributes import get_attribute

    name = constant(args[0]) if args else NO_CONST
    if not isinstance(name, str):
        m.not_followed("a method is called by a name that is computed")
        return Data()
    return Native(lambda machine, values, named: call(machine, get_attribute(machine, values[0], name), args[1:], keywords))


def _itemgetter(m: Machine, args: Args, keywords: Keywords) -> Value:
    return Native(lambda machine, values, named: get_item(machine, values[0], args[0]))


def _chain(m: Machine, args: Args, keywords: Keywords) -> Value:
    for index, arg in enumerate(args):
        if any(reads_of(deps_of(arg)) & reads_of(deps_of(other)) for other in args[:index]):
            m.not_followed("the same validation data is chained to itself")
    rest: Value = NO_REST
    for arg in args:
        value = iterate(m, arg)
        rest = value if rest is NO_REST else join(rest, value)
    return Sequence("generator", (), rest, rest is not NO_REST)


def _decoded(m: Machine, args: Args, keywords: Keywords) -> Value:
    """`codecs.decode(text, encoding)` of constants."""
    known = [constant(a) for a in args]
    decoded = None
    if all(isinstance(k, (str, bytes)) for k in known) and known and len(known[0]) < 1 << 12:
        with suppress(ValueError, LookupError, TypeError):
            decoded = codecs.decode(*known)
    return decoded if isinstance(decoded, (str, bytes)) else Data(parts=(None,), scalar=True)


def _digest(m: Machine, args: Args, keywords: Keywords) -> Value:
    return digest_of(m, args)


def _operator(op: str) -> Effect:
    """A function of `operator` for an infix sign."""
    return lambda m, args, keywords: binary(m, op, args[0], args[1]) if len(args) == 2 else Data()


def _set_item(m: Machine, args: Args, keywords: Keywords) -> Value:
    if len(args) == 3:
        set_item(m, args[0], args[1], args[2])
    return None


def _partial_method(m: Machine, args: Args, keywords: Keywords) -> Value:
    made = partial(m, args, keywords)
    made.cls = PARTIAL_METHOD
    return made


def _all_pairs(m: Machine, args: Args, keywords: Keywords) -> Value:
    """`itertools.product`: which element meets which is not followed, so that tokens among them may come again."""
    if len(args) > 1 and any(has_reads(deps_of(a)) for a in args):
        m.not_followed("validation data is combined by itertools.product")
    return Sequence("generator", (), Sequence("tuple", tuple(iterate(m, a) for a in args)), True)


def _repeated(m: Machine, args: Args, keywords: Keywords) -> Value:
    """`itertools.cycle`, `repeat`, `tee`: the same elements again."""
    if any(has_reads(deps_of(a)) for a in args):
        m.not_followed("validation data is walked again by itertools")
    return _chain(m, args[:1], {})


def _reduce(m: Machine, args: Args, keywords: Keywords) -> Value:
    from pgolf_check.static.calls import call

    items = elements(m, args[1]) if len(args) > 1 else []
    if not items:
        return args[2] if len(args) > 2 else Data()
    result, rest = (args[2], items) if len(args) > 2 else (items[0], items[1:] or items)
    for item in rest:
        result = call(m, args[0], (result, item), {})
    return result


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
    "dataclasses.fields": records.fields,
    "dataclasses.is_dataclass": records.is_dataclass,
    "functools.reduce": _reduce,
    "codecs.decode": _decoded,
    **{f"hashlib.{name}": _digest for name in "new md5 sha1 sha224 sha256 sha384 sha512 blake2b blake2s sha3_256".split()},
    **{f"{package}.{name}": _digest for package in ("zlib", "binascii") for name in ("crc32", "adler32")},
    **{f"operator.{name}": _operator(sign) for name, sign in OPERATORS.items()},
    "operator.getitem": lambda m, args, keywords: get_item(m, args[0], args[1]),
    "operator.setitem": _set_item,
    "functools.partialmethod": _partial_method,
    "itertools.product": _all_pairs,
    "itertools.cycle": _repeated,
    "types.MethodType": bound_method,
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
