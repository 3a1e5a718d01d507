"""Methods of tensors and arrays."""

from __future__ import annotations

from collections.abc import Callable

from pgolf_check.static.effects.attributes import alias
from pgolf_check.static.effects.callbacks import handed_on
from pgolf_check.static.effects.files import write_file
from pgolf_check.static.effects.mixing import mixed_in, reordered, rolled, stopped, turned
from pgolf_check.static.effects.mixtures import (
    asked_of_one,
    described,
    exponential,
    hash_of,
    is_hashed,
    keep_tokens,
    logarithm,
    reduced,
)
from pgolf_check.static.effects.scores import chosen_at, holds_tokens, lowest, picked
from pgolf_check.static.effects.signature import Args, Keywords, pure
from pgolf_check.static.effects.spaces import asked
from pgolf_check.static.effects.streams import filled, obscured
from pgolf_check.static.effects.subscripts import get_item
from pgolf_check.static.machine import Machine
from pgolf_check.static.records import Read, Trace, has_reads, states_of, union, without
from pgolf_check.static.values import Choice, Data, Instance, Sequence, Value, constant, deps_of, is_const, tags_of

ALIASES = frozenset(
    """view reshape detach contiguous squeeze unsqueeze transpose t permute expand expand_as flatten unflatten view_as reshape_as narrow
    ravel swapaxes movedim requires_grad_ retain_grad share_memory_ pin_memory unfold diagonal swapdims data_ptr as_strided
    squeeze_ unsqueeze_ detach_ t_ transpose_ untyped_storage memoryview data_as""".split()
)
CASTS = frozenset(
    """to cuda cpu float double half bfloat16 long int short byte bool type type_as numpy astype clone copy tolist item
    from_numpy asarray ascontiguousarray tensor as_tensor array""".split()
)
KEEPING = frozenset("write writelines send put append extend add update push submit set".split())
"""Methods by which an object that nothing is known of keeps what it is given."""
SHARING = frozenset(("numpy", "cpu", "from_numpy", "asarray", "as_tensor"))
"""Casts that may give another view of the same memory."""
TOKEN_KEEPING = frozenset(
    """masked_fill where clamp clip cat stack concatenate repeat repeat_interleave roll pad gather index_select unique flip split chunk
    unbind sum cumsum prod digest hexdigest""".split()
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
BOUNDED = ("clamp", "clamp_max", "clip")
EXTREMES = ("max", "min", "amax", "amin")
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
        return _parameter_if_asked(m, receiver, name, args) or _view(m, receiver, name, args)
    if name in SHARING and receiver.owner is not None:
        return receiver
    if name in CASTS:
        return cast(receiver)
    if name in PLAIN:
        return Data(tags=receiver.tags, scalar=True)
    if name.endswith("_") and not name.endswith("__"):
        return _in_place(m, receiver, name, args, keywords)
    if name in EXTREMES and not args and not keywords and _whole_stream(receiver):
        return Data(tags=receiver.tags, scalar=True)
    if name in KEEPING and receiver.owner is None and any(has_reads(deps_of(a)) for a in args):
        m.write(receiver, union(deps_of(a) for a in args), replace=False)
    result = handed_on(m, (receiver, *args), keywords)
    result.tokens = receiver.tokens and name in TOKEN_KEEPING
    result.behind = receiver.behind and name in ("clip", "clamp", "clamp_min", "repeat")
    if name == "masked_fill" and args:
        result.deps = obscured(m, result.deps) if result.tokens else stopped(result.deps, args[0])
    if name in ("flip", "index_select"):
        result.deps = reordered(m, receiver, result.deps)
    if name == "roll":
        return rolled(m, receiver, args, keywords, result)
    if name in HASHES:
        return hash_of(m, (receiver, *args, *keywords.values()))
    if name in ("min", "amin", "minimum") and args and not is_const(args[0]):
        return lowest(m, (receiver, args[0]), result)
    if name in BOUNDED:
        return lowest(m, (receiver, *args, *keywords.values()), result)
    result = picked(m, name, (receiver,), result)
    if name in ("chunk", "split", "unbind", "tensor_split"):
        return Sequence(
            "tuple", (), Data(receiver.deps | deps_of(receiver), receiver.tags, bases=(receiver,), tokens=receiver.tokens), True
        )
    if name in ("index_select", "take") and args and not receiver.tokens:
        return described(m, result, args[-1])
    return asked_of_one(m, receiver, args, result)


def _whole_stream(value: Data) -> bool:
    """Whether these are all tokens of a stream, as read: their largest id tells the size of a vocabulary, and of no token what it is."""
    return value.tokens and all(type(d) is Read and not d.region.iterations for d in value.deps)


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
    copied.rows = receiver.rows
    return copied


def _parameter_if_asked(m: Machine, receiver: Data, name: str, args: Args) -> Data | None:
    if name != "requires_grad_" or receiver.owner is not None or (args and args[0] is False):
        return None
    made = m.parameter(receiver.deps, receiver.rows)
    m.heap.put(receiver, "owner", made.owner)
    m.heap.put(receiver, "leaf", made.leaf)
    return receiver


def _view(m: Machine, receiver: Data, name: str, args: Args) -> Data:
    view = alias(receiver)
    if view is not receiver:
        view.deps = turned(m, receiver, name, args, view.deps)
    return view


def _in_place(m: Machine, receiver: Data, name: str, args: Args, keywords: Keywords) -> Value:
    deps = union(deps_of(v) for v in (*args, *keywords.values()))
    if name in INDEXED:
        index = next((a for a in (*args, keywords.get("index")) if holds_tokens(a)), None)
        if index is not None:
            m.count(receiver, deps_of(index), deps)
        deps = union((deps, *(filled(m, receiver, part) for part in (*args, keywords.get("index")))))
    if name in CARRYING:
        for value in args:
            keep_tokens(receiver, value)
    deps = deps if name in REPLACING else mixed_in(m, receiver, deps)
    m.write(receiver, deps, replace=name in REPLACING or name.startswith(("kaiming", "xavier", "trunc_normal", "orthogonal")))
    return receiver


def _backward(m: Machine, receiver: Data, args: Args, keywords: Keywords) -> Value:
    m.backward(deps_of(receiver))
    run_backward_hooks(m)
    return None


def run_backward_hooks(m: Machine) -> None:
    """The functions that were registered for the backward pass."""
    from pgolf_check.static.calls import call

    hooks, m.backward_hooks = m.backward_hooks, []
    for hook, given in hooks:
        call(m, hook, tuple(Data(v.owner.grad) if type(v) is Data and v.owner is not None and v.scalar else v for v in given), {})
    m.backward_hooks = hooks


def _hook(m: Machine, receiver: Data, args: Args, keywords: Keywords) -> Value:
    """`tensor.register_hook(f)`: f gets the gradient."""
    gradient = Data(owner=receiver.owner, scalar=True)
    m.on_backward(args[0], (gradient,))
    return Data()


def _after_hook(m: Machine, receiver: Data, args: Args, keywords: Keywords) -> Value:
    """`parameter.register_post_accumulate_grad_hook(f)`: f gets the parameter."""
    m.on_backward(args[0], (receiver,))
    return Data()


def _item(m: Machine, receiver: Data, args: Args, keywords: Keywords) -> Value:
    return Data(deps_of(receiver), receiver.tags, const=receiver.const, scalar=True, tokens=receiver.tokens)


def gather(m: Machine, receiver: Data, args: Args, keywords: Keywords) -> Value:
    index = args[1] if len(args) > 1 else keywords.get("index", args[0] if args else None)
    if is_hashed(index):
        return get_item(m, receiver, index)
    if states_of(deps_of(receiver)) and holds_tokens(index):
        return Data(m.score(deps_of(receiver), deps_of(index)), receiver.tags | tags_of(index))
    result = pure(m, (receiver, index), {})
    result.deps = chosen_at(m, receiver, index, result.deps)
    return result if receiver.tokens else described(m, result, index)


def take_along(m: Machine, receiver: Data, args: Args, keywords: Keywords) -> Value:
    """take_along_dim, take_along_axis: `gather` with the index first."""
    index = args[0] if args else keywords.get("indices")
    return gather(m, receiver, (None, index), {})


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


def positions(m: Machine, receiver: Data, args: Args, keywords: Keywords) -> Value:
    """Where a mask holds. The places of one token id, such as the beginnings of documents, are no content of the stream."""
    result = pure(m, (receiver, *args), keywords)
    if receiver.marks:
        result.deps = frozenset(d for d in without(result.deps, Trace.BOUNDARY) if type(d) is not Read)
    return result


def _starts_with(m: Machine, receiver: Data, args: Args, keywords: Keywords) -> Value:
    return Data(asked(m, deps_of(receiver), args[0] if args else None), receiver.tags, scalar=True)


def _tolist(m: Machine, receiver: Data, args: Args, keywords: Keywords) -> Value:
    return Sequence("list", (), Data(deps_of(receiver), receiver.tags, tokens=receiver.tokens, scalar=True), True)


def fresh(m: Machine, args: Args, keywords: Keywords) -> Data:
    """zeros, ones, full, randn, empty: a tensor that nothing flowed into, a parameter if gradients are asked for."""
    rows = _rows(args)
    made = m.parameter(rows=rows) if keywords.get("requires_grad") is True else Data()
    made.rows = rows
    return made


def _rows(shape: Args) -> int | None:
    """The first dimension of a shape, given as numbers or as one tuple."""
    sizes = shape[0].items if shape and type(shape[0]) is Sequence else shape
    first = constant(sizes[0]) if len(sizes) > 1 else 1
    return first if isinstance(first, int) else None


def blank(m: Machine, args: Args, keywords: Keywords) -> Value:
    made = fresh(m, args, keywords)
    made.blank, made.born = made.owner is None, m.pass_under_way()
    return made


def _blank_like(m: Machine, receiver: Data, args: Args, keywords: Keywords) -> Value:
    return blank(m, args, keywords)


def _to_file(m: Machine, receiver: Data, args: Args, keywords: Keywords) -> Value:
    """`array.tofile`: what an open file holds already stays."""
    for target in args[:1]:
        write_file(m, target.held[0] if type(target) is Instance and target.held else target, receiver)
    return None


METHODS: dict[str, Callable[[Machine, Data, Args, Keywords], Value]] = {
    "startswith": _starts_with,
    "backward": _backward,
    "item": _item,
    "new_zeros": _blank_like,
    "new_ones": _blank_like,
    "new_full": _blank_like,
    "new_empty": _blank_like,
    "nonzero": positions,
    "argwhere": positions,
    "gather": gather,
    "take_along_dim": take_along,
    "log": _logarithm,
    "log2": _logarithm,
    "log1p": _logarithm,
    "logsumexp": _logarithm,
    "logaddexp": _logarithm_of_sum,
    "exp": _exponential,
    "sum": _sum,
    "mean": _sum,
    "tolist": _tolist,
    "tofile": _to_file,
    "register_hook": _hook,
    "register_post_accumulate_grad_hook": _after_hook,
}
