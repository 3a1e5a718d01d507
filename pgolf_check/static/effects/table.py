"""The one table of what functions and methods outside the submission do.

Everything not listed is *pure*: its result depends on its arguments, and it writes nothing. Functions are looked up by full dotted
name first, then by package and last component.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from pgolf_check.static.effects import files, native, records
from pgolf_check.static.effects.access import alias, get_item, set_item
from pgolf_check.static.effects.builtins import ANY, BUILTINS, Args, Keywords, arithmetic, import_module, partial
from pgolf_check.static.effects.mixtures import exponential, hash_of, is_hashed, keep_tokens, logarithm, reduced, stacked
from pgolf_check.static.effects.modules import (
    MODULE_METHODS,
    OPTIMIZER_METHODS,
    deep_copy,
    is_optimizer,
    module_method,
    new_module,
    new_optimizer,
    optimizer_method,
    states_in,
)
from pgolf_check.static.effects.scores import chosen_by, holds_tokens, lowest
from pgolf_check.static.effects.sequences import append, mapping_method, sequence_method, summary
from pgolf_check.static.effects.texts import format_braces, join_texts, make_text, parts_of
from pgolf_check.static.machine import Machine
from pgolf_check.static.records import NO_DEPS, Read, has_reads, states_of, union
from pgolf_check.static.values import (
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
    Scope,
    Sequence,
    Value,
    constant,
    deps_of,
    is_const,
    join,
    tags_of,
)

Effect = Callable[[Machine, Args, Keywords], Value]

CONSTANT_ATTRIBUTES: dict[str, object] = {
    "math.pi": math.pi,
    "math.e": math.e,
    "math.inf": math.inf,
    "numpy.pi": math.pi,
    "numpy.inf": math.inf,
    "torch.inf": math.inf,
    "os.sep": "/",
    "sys.version_info": None,
}
LIBRARIES = frozenset(
    """torch numpy math os sys time builtins random re glob pathlib io zlib lzma bz2 gzip brotli zstandard copy collections functools
    itertools contextlib json pickle sentencepiece subprocess uuid struct datetime string typing dataclasses warnings logging argparse
    operator hashlib base64 shutil tempfile platform inspect traceback threading queue concurrent multiprocessing triton
    flash_attn_interface flash_attn scipy numba wandb tqdm mlx types abc enum heapq bisect statistics gc signal socket fcntl ctypes
    importlib einops fla mamba_ssm causal_conv1d huggingface_hub datasets transformers tiktoken tokenizers psutil __future__ ast
    textwrap secrets decimal fractions array mmap weakref atexit errno stat getpass urllib requests http pprint numbers""".split()
)


def pure(m: Machine, args: Args, keywords: Keywords) -> Data:
    """The result of a function that only computes."""
    values = (*args, *keywords.values())
    return Data(union(deps_of(v) for v in values), NO_TAGS.union(*(tags_of(v) for v in values)))


def call_external(m: Machine, path: str, args: Args, keywords: Keywords, scope: Scope | None) -> Value:
    """Call a function or class outside the submission, by dotted name; a tensor given as `out` is what it returns."""
    result = _called(m, path, args, keywords)
    out = keywords.get("out")
    if type(out) is not Data or not path.startswith(("torch.", "numpy.")):
        return result
    m.write(out, deps_of(result), replace=True)
    return out


def _called(m: Machine, path: str, args: Args, keywords: Keywords) -> Value:
    package, _, name = path.partition(".")
    last = path.rpartition(".")[2]
    effect = FUNCTIONS.get(path)
    if effect is not None:
        return effect(m, args, keywords)
    if package == "builtins":
        builtin = BUILTINS.get(name)
        return builtin(m, args, keywords) if builtin is not None else pure(m, args, keywords)
    if package == "torch" and last[:1].isupper():
        return _torch_class(m, path, last, args, keywords)
    if last == ANY and any(deps_of(v) for v in (*args, *keywords.values())):
        m.not_followed("a function is looked up by a name that is computed, and gets a model, a table or validation data")
    effect = LAST.get((package, last))
    if effect is not None:
        return effect(m, args, keywords)
    if package in ("torch", "numpy") and last.endswith("_") and not last.endswith("__") and args:
        return data_method(m, args[0], last, args[1:], keywords)
    if package not in LIBRARIES:
        _unlisted(m, path, (*args, *keywords.values()))
    return pure(m, args, keywords)


def _unlisted(m: Machine, path: str, values: Args) -> None:
    """A callee that nothing is known of: noted if it gets both validation data and a state."""
    deps = union(deps_of(v) for v in values)
    if has_reads(deps) and states_of(deps):
        m.not_followed(f"{path} is not known, and gets validation data together with a model or table")


def _torch_class(m: Machine, path: str, last: str, args: Args, keywords: Keywords) -> Value:
    if path.startswith("torch.optim") and "lr_scheduler" not in path:
        return new_optimizer(path, args, keywords)
    if path.startswith(("torch.nn", "torch.distributed")) and not path.startswith("torch.nn.attention"):
        return new_module(m, path, args, keywords)
    if last == "Generator" or last in ("Event", "Stream"):
        return Data()
    return pure(m, args, keywords)


def call_method(m: Machine, receiver: Value, name: str, args: Args, keywords: Keywords) -> Value:
    """Call a method of a value whose class is not in the source."""
    kind = type(receiver)
    if kind is Sequence:
        return sequence_method(m, receiver, name, args)
    if kind is Mapping:
        return mapping_method(m, receiver, name, args)
    if kind is Instance:
        return _instance_method(m, receiver, name, args, keywords)
    if kind is Class:
        return _unbound(m, receiver, name, args, keywords)
    if isinstance(receiver, (str, bytes)) or (kind is Data and receiver.parts is not None):
        return text_method(m, receiver, name, args, keywords)
    if kind is Data:
        return data_method(m, receiver, name, args, keywords)
    if receiver is None:
        return None
    if kind in (Function, Bound):
        return pure(m, args, keywords)
    return pure(m, (receiver, *args), keywords)


def _unbound(m: Machine, cls: Class, name: str, args: Args, keywords: Keywords) -> Value:
    """`Base.method(self, ...)` of an external base: as the method of the instance; else `Class._make` and its kind."""
    if args and type(args[0]) is Instance:
        return _instance_method(m, args[0], name, args[1:], keywords)
    return Data(union(deps_of(a) for a in args))


def _instance_method(m: Machine, receiver: Instance, name: str, args: Args, keywords: Keywords) -> Value:
    cls = receiver.cls
    if isinstance(cls, str):
        if cls == native.LIBRARY:
            return native.call_native(m, name, args)
        if cls in files.FILE_CLASSES:
            return files.file_method(m, receiver, name, args)
        if cls.startswith("torch.optim") and name in OPTIMIZER_METHODS:
            return optimizer_method(m, receiver, name, args)
        items = receiver.attrs.get("__items__")
        if name in ("append", "extend", "insert") and type(items) is Sequence:
            return sequence_method(m, items, name, args)
        if name in ("items", "keys", "values", "update", "get", "pop") and type(items) is Mapping:
            return mapping_method(m, items, name, args)
        if name in ("values", "items") and type(items) is Sequence:
            return items
    elif is_optimizer(cls) and name in OPTIMIZER_METHODS:
        return optimizer_method(m, receiver, name, args)
    if receiver.state is not None and name in MODULE_METHODS:
        return module_method(m, receiver, name, args, keywords)
    if name == "step":
        for arg in args:
            if type(arg) is Instance and arg is not receiver:
                _step(m, arg)
        return Data()
    if cls == "argparse.ArgumentParser":
        return _parser_method(m, receiver, name, args, keywords)
    return pure(m, (receiver, *args), keywords)


def _step(m: Machine, optimizer: Instance) -> None:
    from pgolf_check.static.calls import call
    from pgolf_check.static.effects.access import get_attribute

    call(m, get_attribute(m, optimizer, "step"), (), {})


def _parser_method(m: Machine, parser: Instance, name: str, args: Args, keywords: Keywords) -> Value:
    known = parser.attrs.setdefault("__options__", Instance("argparse.Namespace"))
    if name == "add_argument":
        flags = [a for a in args if isinstance(a, str)]
        target = keywords.get("dest") or (max(flags, key=len).lstrip("-").replace("-", "_") if flags else "")
        action = keywords.get("action")
        default = keywords.get(
            "default", {"store_true": False, "store_false": True}.get(action) if isinstance(action, str) else None
        )
        if isinstance(target, str):
            m.heap.put_item(known.attrs, target, _argument(m, flags, default, keywords))
        return Data()
    if name in ("add_argument_group", "add_mutually_exclusive_group", "add_subparsers", "add_parser"):
        return parser
    if name == "parse_args":
        return known
    if name == "parse_known_args":
        return Sequence("tuple", (known, Sequence("list")))
    return Data()


def _argument(m: Machine, flags: list[str], default: Value, keywords: Keywords) -> Value:
    """The value of a command line option: from the configuration's arguments, else the default."""
    given: str | None = None
    for index, text in enumerate(m.arguments):
        head, _, tail = text.partition("=")
        if head in flags:
            if keywords.get("action") in ("store_true", "store_false"):
                return keywords["action"] == "store_true"
            following = m.arguments[index + 1] if index + 1 < len(m.arguments) else ""
            given = tail or following
    if given is None:
        return default
    kind = keywords.get("type")
    if type(kind) is External and kind.path in ("builtins.int", "builtins.float"):
        return BUILTINS[kind.path.partition(".")[2]](m, (given,), {})
    return given


# Methods of tensors and arrays

ALIASES = frozenset(
    """view reshape detach contiguous squeeze unsqueeze transpose t permute expand expand_as flatten unflatten view_as reshape_as narrow
    ravel swapaxes movedim requires_grad_ retain_grad share_memory_ pin_memory unfold diagonal swapdims data_ptr as_strided
    squeeze_ unsqueeze_ detach_ t_ transpose_ untyped_storage memoryview data_as""".split()
)
CASTS = frozenset(
    """to cuda cpu float double half bfloat16 long int short byte bool type type_as numpy astype clone copy tolist item
    from_numpy asarray ascontiguousarray tensor as_tensor array""".split()
)
TOKEN_KEEPING = frozenset(
    """masked_fill where clamp clip cat stack concatenate repeat repeat_interleave roll pad gather index_select unique flip split chunk
    unbind sum cumsum prod""".split()
)
REPLACING = frozenset(("zero_", "fill_", "normal_", "uniform_", "copy_", "set_", "zeros_", "ones_", "constant_", "eye_"))
INDEXED = frozenset(
    """scatter_ scatter_add_ index_add_ index_copy_ index_put_ index_fill_ scatter_reduce_ masked_fill_ masked_scatter_ put_
    """.split()
)
CARRYING = frozenset(("copy_", "add_", "sub_", "mul_", "bitwise_xor_", "bitwise_and_", "remainder_", "set_"))
HASHES = frozenset(
    "bitwise_xor bitwise_and bitwise_or remainder fmod mod bitwise_right_shift bitwise_left_shift right_shift".split()
)
PLAIN = frozenset("size numel dim element_size is_contiguous stride get_device ndimension nelement".split())


def data_method(m: Machine, receiver: Value, name: str, args: Args, keywords: Keywords) -> Value:
    """A method of a tensor or array (or the function of the same name with the tensor first)."""
    if type(receiver) is Choice:
        for option in receiver.options:
            if type(option) is Data:
                data_method(m, option, name, args, keywords)
        return receiver if name.endswith("_") else pure(m, (receiver, *args), keywords)
    if type(receiver) is not Data:
        return pure(m, (receiver, *args), keywords)
    special = METHODS.get(name)
    if special is not None:
        return special(m, receiver, args, keywords)
    if name in ALIASES:
        return _parameter_if_asked(m, receiver, name, args) or alias(receiver)
    if name in CASTS:
        return cast(receiver)
    if name in PLAIN:
        return Data(tags=receiver.tags, scalar=True)
    if name.endswith("_") and not name.endswith("__"):
        return _in_place(m, receiver, name, args, keywords)
    result = pure(m, (receiver, *args), keywords)
    result.tokens = receiver.tokens and name in TOKEN_KEEPING
    result.behind = receiver.behind and name in ("clip", "clamp", "clamp_min", "repeat")
    if name in HASHES:
        return hash_of(m, (receiver, *args, *keywords.values()))
    if name in ("min", "amin", "minimum") and args and not is_const(args[0]):
        return lowest(m, (receiver, args[0]), result)
    if name in ("chunk", "split", "unbind", "tensor_split"):
        return Sequence(
            "tuple", (), Data(receiver.deps | deps_of(receiver), receiver.tags, bases=(receiver,), tokens=receiver.tokens), True
        )
    return result


def cast(receiver: Data) -> Data:
    """A copy with the same content, in another type or place."""
    copied = Data(
        deps_of(receiver),
        receiver.tags,
        const=receiver.const,
        low=receiver.low,
        symbol=receiver.symbol,
        tokens=receiver.tokens,
        behind=receiver.behind,
    )
    copied.blank, copied.marks, copied.born = receiver.blank, receiver.marks, receiver.born
    return copied


def _parameter_if_asked(m: Machine, receiver: Data, name: str, args: Args) -> Data | None:
    if name != "requires_grad_" or receiver.owner is not None or (args and args[0] is False):
        return None
    made = m.parameter(receiver.deps)
    m.heap.put(receiver, "owner", made.owner)
    m.heap.put(receiver, "leaf", made.leaf)
    return receiver


def _in_place(m: Machine, receiver: Data, name: str, args: Args, keywords: Keywords) -> Value:
    deps = union(deps_of(v) for v in (*args, *keywords.values()))
    if name in INDEXED:
        index = next((a for a in (*args, keywords.get("index")) if holds_tokens(a)), None)
        if index is not None:
            m.count(receiver, deps_of(index), deps)
    if name in CARRYING:
        for value in args:
            keep_tokens(receiver, value)
    m.write(receiver, deps, replace=name in REPLACING or name.startswith(("kaiming", "xavier", "trunc_normal", "orthogonal")))
    return receiver


def _backward(m: Machine, receiver: Data, args: Args, keywords: Keywords) -> Value:
    m.backward(deps_of(receiver))
    return None


def _item(m: Machine, receiver: Data, args: Args, keywords: Keywords) -> Value:
    return Data(deps_of(receiver), receiver.tags, const=receiver.const, scalar=True, tokens=receiver.tokens)


def _gather(m: Machine, receiver: Data, args: Args, keywords: Keywords) -> Value:
    index = args[1] if len(args) > 1 else keywords.get("index", args[0] if args else None)
    if is_hashed(index):
        return get_item(m, receiver, index)
    if states_of(deps_of(receiver)) and holds_tokens(index):
        return Data(m.score(deps_of(receiver), deps_of(index)), receiver.tags | tags_of(index))
    return pure(m, (receiver, index), {})


def _take_along(m: Machine, receiver: Data, args: Args, keywords: Keywords) -> Value:
    """take_along_dim, take_along_axis: `gather` with the index first."""
    index = args[0] if args else keywords.get("indices")
    return _gather(m, receiver, (None, index), {})


def _logarithm(m: Machine, receiver: Data, args: Args, keywords: Keywords) -> Value:
    return Data(logarithm(m, deps_of(receiver)), receiver.tags)


def _logarithm_of_sum(m: Machine, receiver: Data, args: Args, keywords: Keywords) -> Value:
    return Data(logarithm(m, union(deps_of(v) for v in (receiver, *args))), receiver.tags)


def _exponential(m: Machine, receiver: Data, args: Args, keywords: Keywords) -> Value:
    return Data(exponential(m, deps_of(receiver)), receiver.tags, scalar=receiver.scalar)


def _sum(m: Machine, receiver: Data, args: Args, keywords: Keywords) -> Value:
    result = pure(m, (receiver, *args), keywords)
    result.tokens = receiver.tokens
    return reduced(result)


def _positions(m: Machine, receiver: Data, args: Args, keywords: Keywords) -> Value:
    """Where a mask holds. The places of one token id, such as the beginnings of documents, are no content of the stream."""
    result = pure(m, (receiver, *args), keywords)
    if receiver.marks:
        result.deps = frozenset(d for d in result.deps if type(d) is not Read)
    return result


def _positions_function(m: Machine, args: Args, keywords: Keywords) -> Value:
    return _positions(m, args[0], args[1:], keywords) if args and type(args[0]) is Data else pure(m, args, keywords)


def _tolist(m: Machine, receiver: Data, args: Args, keywords: Keywords) -> Value:
    return Sequence("list", (), Data(deps_of(receiver), receiver.tags, tokens=receiver.tokens, scalar=True), True)


def _fresh(m: Machine, args: Args, keywords: Keywords) -> Data:
    """zeros, ones, full, randn, empty: a tensor that nothing flowed into, a parameter if gradients are asked for."""
    return m.parameter() if keywords.get("requires_grad") is True else Data()


def _arange(m: Machine, args: Args, keywords: Keywords) -> Value:
    """Positions between two bounds: those that the bounds choose, as in a slice."""
    bounds = slice(args[0], args[1]) if len(args) > 1 else slice(0, None)
    return Data(union(deps_of(a) for a in args), tags_of(bounds))


def _blank(m: Machine, args: Args, keywords: Keywords) -> Value:
    made = _fresh(m, args, keywords)
    made.blank, made.born = made.owner is None, m.pass_under_way()
    return made


def _blank_like(m: Machine, receiver: Data, args: Args, keywords: Keywords) -> Value:
    return _blank(m, args, keywords)


METHODS: dict[str, Callable[[Machine, Data, Args, Keywords], Value]] = {
    "backward": _backward,
    "item": _item,
    "new_zeros": _blank_like,
    "new_ones": _blank_like,
    "new_full": _blank_like,
    "new_empty": _blank_like,
    "nonzero": _positions,
    "argwhere": _positions,
    "gather": _gather,
    "take_along_dim": _take_along,
    "log": _logarithm,
    "log2": _logarithm,
    "log1p": _logarithm,
    "logsumexp": _logarithm,
    "logaddexp": _logarithm_of_sum,
    "exp": _exponential,
    "sum": _sum,
    "mean": _sum,
    "tolist": _tolist,
}


# Texts


def text_method(m: Machine, receiver: Value, name: str, args: Args, keywords: Keywords) -> Value:
    known = constant(receiver)
    if name in files.PATH_METHODS:
        return files.path_method(m, receiver, name, args, keywords)
    if name == "format":
        return format_braces(receiver, (*args, *keywords.values()))
    if name == "join" and args:
        return join_texts(receiver, args[0])
    if isinstance(known, (str, bytes)) and all(is_const(a) for a in args) and not keywords and len(known) < 1 << 16:
        return _constant_text(known, name, args)
    if name in ("encode", "decode", "strip", "lower", "upper", "rstrip", "lstrip"):
        return Data(deps_of(receiver), tags_of(receiver), parts=parts_of(receiver), scalar=True)
    if name in ("split", "splitlines", "partition", "rsplit"):
        return Sequence("list", (), Data(deps_of(receiver), parts=(None,), scalar=True), True)
    return Data(union(deps_of(v) for v in (receiver, *args)), scalar=True)


TEXT_METHODS = frozenset(
    """lower upper strip lstrip rstrip split rsplit splitlines partition rpartition startswith endswith replace find rfind isdigit
    title capitalize encode decode count removeprefix removesuffix isalpha isalnum""".split()
)


def _constant_text(known: str | bytes, name: str, args: Args) -> Value:
    if name not in TEXT_METHODS:
        return Data(parts=(None,), scalar=True)
    try:
        result = getattr(known, name)(*args)
    except (TypeError, ValueError, LookupError):
        return Data(scalar=True)
    if isinstance(result, (list, tuple)):
        return Sequence("list" if isinstance(result, list) else "tuple", tuple(result[:4096]))
    return result if not isinstance(result, (str, bytes)) or len(result) < 1 << 16 else Data(parts=(None,), scalar=True)


# Functions


def _first(m: Machine, args: Args, keywords: Keywords) -> Value:
    """The first argument itself: compile, wrappers, identity."""
    return args[0] if args else Data()


def _decorator(m: Machine, args: Args, keywords: Keywords) -> Value:
    """torch.compile(f), torch.no_grad()(f), lru_cache(f): the function; without arguments a context or a decorator."""
    if args and type(args[0]) in (Function, Bound, Instance, Class, Choice, External, Method):
        return args[0]
    return External("pgolf.decorator")


def _cast_function(m: Machine, args: Args, keywords: Keywords) -> Value:
    if not args:
        return Data()
    value = args[0]
    if type(value) is Data:
        result = cast(value)
    else:
        deps = deps_of(value, 4)
        result = Data(deps, tags_of(value), tokens=_any_tokens(value))
    if keywords.get("requires_grad") is True:
        return m.parameter(result.deps)
    return result


def _any_tokens(value: Value) -> bool:
    if type(value) is Sequence:
        parts = (*value.items, *(() if value.rest is NO_REST else (value.rest,)))
        return any(_any_tokens(v) for v in parts[:8])
    return type(value) is Data and value.tokens


def _combine(m: Machine, args: Args, keywords: Keywords) -> Value:
    result = pure(m, args, keywords)
    result.tokens = any(_any_tokens(a) for a in args)
    result.behind = any(type(a) is Data and a.behind for a in args[:1])
    if args:
        result.deps = stacked(m, args[0], result.deps)
    return result


def _exponential_function(m: Machine, args: Args, keywords: Keywords) -> Value:
    known = constant(args[0]) if args else NO_CONST
    if isinstance(known, (int, float)):
        return arithmetic(math.exp)(m, args[:1], {})
    result = pure(m, args, keywords)
    result.deps = exponential(m, result.deps)
    return result


def _count_function(m: Machine, args: Args, keywords: Keywords) -> Value:
    counted = reduced(pure(m, args, keywords))
    if args and _any_tokens(args[0]) and has_reads(deps_of(args[0])):
        m.count(counted, deps_of(args[0]), NO_DEPS)
    return counted


def _sum_function(m: Machine, args: Args, keywords: Keywords) -> Value:
    result = pure(m, args, keywords)
    result.tokens = any(_any_tokens(a) for a in args)
    return reduced(result)


def _hash(m: Machine, args: Args, keywords: Keywords) -> Value:
    return hash_of(m, (*args, *keywords.values()))


def _take(m: Machine, args: Args, keywords: Keywords) -> Value:
    """np.take(table, index), torch.index_select(table, dim, index): as a subscript where the index is a hash."""
    index = keywords.get("index", keywords.get("indices", args[-1] if len(args) > 1 else None))
    return get_item(m, args[0], index) if args and is_hashed(index) else pure(m, args, keywords)


def _cross_entropy(m: Machine, args: Args, keywords: Keywords) -> Value:
    prediction = args[0] if args else keywords.get("input")
    target = args[1] if len(args) > 1 else keywords.get("target")
    return Data(m.score(deps_of(prediction), deps_of(target)), tags_of(prediction) | tags_of(target))


def _fused_cross_entropy(m: Machine, args: Args, keywords: Keywords) -> Value:
    """Loss of hidden values times a weight against targets; a tuple with it in some versions."""
    prediction, target = union(deps_of(a) for a in args[:2]), args[2] if len(args) > 2 else None
    return Data(m.score(prediction, deps_of(target)), tags_of(target))


def _gather_function(m: Machine, args: Args, keywords: Keywords) -> Value:
    source = args[0] if args else keywords.get("input", Data())
    if type(source) is not Data:
        return pure(m, args, keywords)
    return _gather(m, source, args[1:], keywords)


def _take_along_function(m: Machine, args: Args, keywords: Keywords) -> Value:
    source = args[0] if args else keywords.get("input", keywords.get("arr"))
    if type(source) is not Data:
        return pure(m, args, keywords)
    return _take_along(m, source, args[1:], keywords)


def _log_function(m: Machine, args: Args, keywords: Keywords) -> Value:
    known = constant(args[0]) if args else NO_CONST
    if isinstance(known, (int, float)) and known > 0 and len(args) == 1:
        return math.log(known)
    return Data(logarithm(m, union(deps_of(a) for a in args)), NO_TAGS.union(*(tags_of(a) for a in args)))


def _minimum(m: Machine, args: Args, keywords: Keywords) -> Value:
    return lowest(m, args, pure(m, args, keywords))


def _where(m: Machine, args: Args, keywords: Keywords) -> Value:
    if len(args) == 1:
        return _positions_function(m, args, keywords)
    if len(args) < 3:
        return pure(m, args, keywords)
    result = pure(m, args, keywords)
    result.tokens = any(_any_tokens(a) for a in args[1:])
    return chosen_by(m, deps_of(args[0]), result)


def _autograd(m: Machine, args: Args, keywords: Keywords) -> Value:
    flow = m.differentiate(deps_of(args[0]) if args else NO_DEPS)
    return Sequence("tuple", (), Data(flow), True)


def _all_gather_object(m: Machine, args: Args, keywords: Keywords) -> Value:
    if len(args) > 1 and type(args[0]) is Sequence:
        append(m, args[0], args[1])
    return None


def _all_gather(m: Machine, args: Args, keywords: Keywords) -> Value:
    target, source = (args[0], args[1]) if len(args) > 1 else (None, None)
    if type(target) is Data:
        m.write(target, deps_of(source), replace=True)
    elif type(target) is Sequence:
        each = summary(target)
        if type(each) is Data:
            m.write(each, deps_of(source), replace=False)
        append(m, target, source)
    return None


def _gather_list(m: Machine, args: Args, keywords: Keywords) -> Value:
    """torch.distributed.gather(tensor, list): one rank gets every rank's tensor."""
    target = args[1] if len(args) > 1 else keywords.get("gather_list")
    if args and target is not None:
        _all_gather(m, (target, args[0]), {})
    return None


def _at_method(m: Machine, args: Args, keywords: Keywords) -> Value:
    """np.add.at(table, index, values)."""
    if len(args) > 1:
        if type(args[0]) is Data and holds_tokens(args[1]):
            m.count(args[0], deps_of(args[1]), union(deps_of(a) for a in args[2:]))
        else:
            set_item(m, args[0], args[1], args[2] if len(args) > 2 else Data(deps_of(args[1])))
    return None


def _copyto(m: Machine, args: Args, keywords: Keywords) -> Value:
    if len(args) > 1 and type(args[0]) is Data:
        m.write(args[0], deps_of(args[1]), replace=True)
    return None


def _deepcopy(m: Machine, args: Args, keywords: Keywords) -> Value:
    return deep_copy(m, args[0]) if args else Data()


def _environment(m: Machine, args: Args, keywords: Keywords) -> Value:
    name = constant(args[0]) if args else NO_CONST
    default = args[1] if len(args) > 1 else keywords.get("default")
    if isinstance(name, str):
        m.variables.add(name)
        return m.environment.get(name, default)
    return Data(parts=(None,), scalar=True)


def _set_default(m: Machine, args: Args, keywords: Keywords) -> Value:
    if len(args) == 2 and isinstance(constant(args[0]), str) and isinstance(constant(args[1]), str):
        return m.environment.setdefault(constant(args[0]), constant(args[1]))
    return Data(parts=(None,), scalar=True)


def _update_environment(m: Machine, args: Args, keywords: Keywords) -> Value:
    if args and type(args[0]) is Mapping:
        m.environment.update({k: v for k, v in args[0].items.items() if isinstance(k, str) and isinstance(v, str)})
    return None


def _save(m: Machine, args: Args, keywords: Keywords) -> Value:
    if len(args) > 1:
        files.save(m, args[0], args[1])
    return None


def _save_array(m: Machine, args: Args, keywords: Keywords) -> Value:
    if args:
        files.save(m, Sequence("tuple", (*args[1:], *keywords.values())), args[0])
    return None


def _load(m: Machine, args: Args, keywords: Keywords) -> Value:
    return files.load(m, args[0]) if args else Data()


def _glob(m: Machine, args: Args, keywords: Keywords) -> Value:
    return files.glob(m, args[0]) if args else Sequence("list")


def _path(m: Machine, args: Args, keywords: Keywords) -> Value:
    return files.join_paths(args) if args else "."


def _buffer(m: Machine, args: Args, keywords: Keywords) -> Value:
    return files.new_buffer(m, args)


def _parser(m: Machine, args: Args, keywords: Keywords) -> Value:
    return Instance("argparse.ArgumentParser")


def _known(value: Value) -> Effect:
    return lambda m, args, keywords: value


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
    from pgolf_check.static.values import Native

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
    from pgolf_check.static.values import Native

    name = constant(args[0]) if args else NO_CONST
    if not isinstance(name, str):
        m.not_followed("a method is called by a name that is computed")
        return Data()
    return Native(lambda machine, values, named: call(machine, get_attribute(machine, values[0], name), args[1:], keywords))


def _itemgetter(m: Machine, args: Args, keywords: Keywords) -> Value:
    from pgolf_check.static.values import Native

    return Native(lambda machine, values, named: get_item(machine, values[0], args[0]))


def _chain(m: Machine, args: Args, keywords: Keywords) -> Value:
    rest: Value = NO_REST
    for arg in args:
        from pgolf_check.static.effects.sequences import iterate

        value = iterate(m, arg)
        rest = value if rest is NO_REST else join(rest, value)
    return Sequence("generator", (), rest, rest is not NO_REST)


def _log_text(m: Machine, args: Args, keywords: Keywords) -> Value:
    m.report(parts_of(args[0]) if args else (None,), union(deps_of(a) for a in (*args, *keywords.values())))
    return None


def _subprocess(m: Machine, args: Args, keywords: Keywords) -> Value:
    deps = union(deps_of(a) for a in (*args, *keywords.values()))
    if has_reads(deps):
        m.not_followed("validation data is handed to another process")
    return Data(deps)


def _compile_source(m: Machine, args: Args, keywords: Keywords) -> Value:
    made = Instance("builtins.code")
    made.held = args
    return made


def _checkpoint(m: Machine, args: Args, keywords: Keywords) -> Value:
    from pgolf_check.static.calls import call

    return call(m, args[0], args[1:], {}) if args else Data()


def _json_dump(m: Machine, args: Args, keywords: Keywords) -> Value:
    if len(args) > 1:
        files.save(m, args[0], args[1])
        m.report((None,), deps_of(args[0], 4))
    return None


FUNCTIONS: dict[str, Effect] = {
    "os.environ.get": _environment, "os.getenv": _environment, "os.environ.setdefault": _set_default,
    "os.environ.update": _update_environment, "os.environ.pop": _environment, "os.environ.copy": _known(Mapping({}, Data(parts=(None,)))),
    "os.path.join": _path, "glob.glob": _glob, "glob.iglob": _glob, "pathlib.Path": _path, "pathlib.PurePath": _path,
    "os.path.abspath": _first, "os.path.expanduser": _first, "os.path.realpath": _first, "os.fspath": _first,
    "os.listdir": lambda m, a, k: files.glob(m, files.join_paths((*a[:1], "*"))),
    "io.BytesIO": _buffer, "io.StringIO": _buffer, "io.open": BUILTINS["open"], "builtins.compile": _compile_source,
    "lzma.open": BUILTINS["open"], "gzip.open": BUILTINS["open"], "bz2.open": BUILTINS["open"],
    "copy.deepcopy": _deepcopy, "copy.copy": _deepcopy, "functools.partial": partial, "operator.attrgetter": _attrgetter,
    "dataclasses.replace": records.replace, "dataclasses.asdict": records.as_dict, "dataclasses.field": records.field,
    "operator.methodcaller": _methodcaller, "operator.itemgetter": _itemgetter, "itertools.chain": _chain,
    "itertools.chain.from_iterable": _chain, "collections.deque": _deque, "collections.OrderedDict": BUILTINS["dict"],
    "collections.defaultdict": _default_dict, "types.SimpleNamespace": _namespace, "argparse.Namespace": _namespace,
    "argparse.ArgumentParser": _parser, "importlib.import_module": import_module, "queue.Queue": _deque,
    "torch.distributed.is_initialized": _known(True), "torch.distributed.is_available": _known(True),
    "torch.distributed.get_rank": _known(0), "torch.distributed.get_world_size": _known(8), "torch.cuda.is_available": _known(True),
    "torch.cuda.device_count": _known(8), "torch.distributed.all_gather_object": _all_gather_object,
    "torch.distributed.all_gather": _all_gather, "torch.distributed.all_gather_into_tensor": _all_gather,
    "torch.distributed.gather": _gather_list, "torch.distributed.gather_object": _all_gather_object,
    "ctypes.CDLL": native.open_library, "ctypes.cdll.LoadLibrary": native.open_library, "ctypes.PyDLL": native.open_library,
    "ctypes.c_void_p": _first, "ctypes.cast": _first, "ctypes.byref": _first, "ctypes.pointer": _first,
    "torch.autograd.grad": _autograd, "numpy.add.at": _at_method, "numpy.subtract.at": _at_method, "numpy.maximum.at": _at_method,
    "numpy.copyto": _copyto, "json.dump": _json_dump, "sys.stdout.write": _log_text, "sys.stderr.write": _log_text,
    "subprocess.run": _subprocess, "subprocess.check_output": _subprocess, "subprocess.Popen": _subprocess,
    "liger_kernel.ops.fused_linear_cross_entropy.LigerFusedLinearCrossEntropyFunction.apply": _fused_cross_entropy,
    "torch.utils.checkpoint.checkpoint": _checkpoint, "torch.manual_seed": _known(None),
    "math.log": _log_function, "math.log2": _log_function, "math.log1p": _log_function, "math.sqrt": arithmetic(math.sqrt),
    "math.ceil": arithmetic(math.ceil), "math.floor": arithmetic(math.floor), "math.exp": _exponential_function,
    "math.cos": arithmetic(math.cos), "math.prod": arithmetic(lambda *a: math.prod(a)),
}  # fmt: skip


def _group(package: str, names: str, effect: Effect) -> dict[tuple[str, str], Effect]:
    return {(package, name): effect for name in names.split()}


_BLANK = "zeros ones full empty zeros_like ones_like full_like empty_like"
_FRESH = "randn rand randint randn_like rand_like randperm eye linspace tril triu_indices"
_CASTS = (
    "tensor as_tensor from_numpy asarray array ascontiguousarray frombuffer float32 float64 int64 int32 int16 uint16 uint8 copy"
)
_COMBINE = "cat concat concatenate stack hstack vstack masked_fill clamp clip roll pad repeat_interleave column_stack unique flip"

LOGARITHMS = "log log2 log10 log1p logaddexp logsumexp"

LAST: dict[tuple[str, str], Effect] = {
    **_group("torch", _FRESH, _fresh), **_group("numpy", _FRESH, _fresh),
    **_group("torch", "arange", _arange), **_group("numpy", "arange", _arange),
    **_group("torch", _BLANK, _blank), **_group("numpy", _BLANK, _blank),
    **_group("torch", _CASTS, _cast_function), **_group("numpy", _CASTS, _cast_function),
    **_group("torch", " ".join(HASHES), _hash), **_group("numpy", " ".join(HASHES), _hash),
    **_group("torch", "take index_select", _take), **_group("numpy", "take", _take),
    **_group("torch", _COMBINE, _combine), **_group("numpy", _COMBINE, _combine),
    **_group("torch", "cross_entropy nll_loss linear_cross_entropy fused_linear_cross_entropy", _cross_entropy),
    **_group("torch", "gather", _gather_function), **_group("torch", "take_along_dim", _take_along_function),
    **_group("numpy", "take_along_axis", _take_along_function), **_group("torch", "is_tensor is_floating_point is_complex numel", _known(Data(scalar=True))),
    **_group("torch", LOGARITHMS, _log_function), **_group("numpy", LOGARITHMS, _log_function),
    **_group("torch", "bincount", _count_function), **_group("numpy", "bincount", _count_function),
    **_group("torch", "exp exp2", _exponential_function), **_group("numpy", "exp exp2", _exponential_function),
    **_group("torch", "sum mean nansum", _sum_function), **_group("numpy", "sum mean nansum", _sum_function),
    **_group("torch", "minimum fmin", _minimum), **_group("numpy", "minimum fmin", _minimum),
    **_group("torch", "nonzero argwhere", _positions_function), **_group("numpy", "nonzero flatnonzero argwhere", _positions_function),
    **_group("torch", "where", _where), **_group("numpy", "where", _where),
    **_group("torch", "compile no_grad inference_mode enable_grad disable allow_in_graph script", _decorator),
    **_group("functools", "lru_cache cache wraps", _decorator), **_group("contextlib", "nullcontext", _known(None)),
    **_group("torch", "save", _save), **_group("torch", "load", _load), **_group("pickle", "dump", _save), **_group("pickle", "load", _load),
    **_group("numpy", "save savez savez_compressed tofile", _save_array),
    **_group("numpy", "fromfile load memmap loadtxt", _load), **_group("torch", "from_file", _load),
    **_group("logging", "info debug warning error log", _log_text), **_group("wandb", "log", _log_text),
    **_group("torch", "fx symbolic_trace", _first),
}  # fmt: skip

__all__ = ["call_external", "call_method", "data_method", "make_text", "pure", "states_in"]
