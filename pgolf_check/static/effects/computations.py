"""Functions of torch, numpy and math that compute."""

from __future__ import annotations

import math

from pgolf_check.static.effects.builtins import arithmetic
from pgolf_check.static.effects.mixing import laid, padded, reordered, rolled, stopped
from pgolf_check.static.effects.mixtures import described, exponential, hash_of, is_hashed, logarithm, reduced, stacked
from pgolf_check.static.effects.scores import chosen_by, holds_tokens, lowest, picked
from pgolf_check.static.effects.sequences import elements
from pgolf_check.static.effects.signature import Args, Effect, Keywords, by_name, known, pure
from pgolf_check.static.effects.streams import by_chance, filled, obscured
from pgolf_check.static.effects.subscripts import get_item, set_item
from pgolf_check.static.effects.tensors import HASHES, blank, cast, fresh, gather, positions, run_backward_hooks, take_along
from pgolf_check.static.machine import Machine
from pgolf_check.static.records import NO_DEPS, has_reads, union
from pgolf_check.static.values import NO_CONST, NO_REST, NO_TAGS, Data, Sequence, Value, constant, deps_of, tags_of


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


def _combine(m: Machine, args: Args, keywords: Keywords) -> Data:
    result = pure(m, args, keywords)
    result.tokens = any(_any_tokens(a) for a in args)
    result.behind = any(type(a) is Data and a.behind for a in args[:1])
    if args:
        result.deps = stacked(m, args[0], result.deps)
    return result


def _laid(m: Machine, args: Args, keywords: Keywords) -> Data:
    """cat(parts, dim)."""
    result = _combine(m, args, keywords)
    dimension = args[1] if len(args) > 1 else keywords.get("dim", keywords.get("axis"))
    result.deps = laid(m, args[0] if args else keywords.get("tensors"), dimension, result.deps)
    return result


def _padded(m: Machine, args: Args, keywords: Keywords) -> Data:
    """pad(input, pad)."""
    result = _combine(m, args, keywords)
    value, widths = args[0] if args else keywords.get("input"), args[1] if len(args) > 1 else keywords.get("pad")
    result.deps = padded(m, value, widths, result.deps)
    return result


def _clamped(m: Machine, args: Args, keywords: Keywords) -> Value:
    """clamp, clip: a bound that is a score takes the lower of two."""
    result = _combine(m, args, keywords)
    bounded = lowest(m, (*args, *keywords.values()), result)
    return picked(m, "clamp", args, bounded)


def _flip(m: Machine, args: Args, keywords: Keywords) -> Value:
    result = _combine(m, args, keywords)
    result.deps = reordered(m, args[0], result.deps) if args else result.deps
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
    counted.deps = union((counted.deps, filled(m, counted, args[0] if args else None)))
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
    if args and is_hashed(index):
        return get_item(m, args[0], index)
    taken = pure(m, args, keywords)
    return taken if not args or _any_tokens(args[0]) else described(m, taken, index)


def _roll(m: Machine, args: Args, keywords: Keywords) -> Value:
    result = _combine(m, args, keywords)
    return rolled(m, args[0], args[1:], keywords, result) if args else result


def _random(m: Machine, args: Args, keywords: Keywords) -> Value:
    return by_chance(m, pure(m, args, keywords))


def _arange(m: Machine, args: Args, keywords: Keywords) -> Value:
    """Positions between two bounds: those that the bounds choose, as in a slice."""
    bounds = slice(args[0], args[1]) if len(args) > 1 else slice(0, None)
    return Data(union(deps_of(a) for a in args), tags_of(bounds))


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
    return gather(m, source, args[1:], keywords)


def _take_along_function(m: Machine, args: Args, keywords: Keywords) -> Value:
    source = args[0] if args else keywords.get("input", keywords.get("arr"))
    if type(source) is not Data:
        return pure(m, args, keywords)
    return take_along(m, source, args[1:], keywords)


def _positions_function(m: Machine, args: Args, keywords: Keywords) -> Value:
    return positions(m, args[0], args[1:], keywords) if args and type(args[0]) is Data else pure(m, args, keywords)


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
    result.deps = obscured(m, result.deps) if result.tokens else stopped(result.deps, args[0])
    return chosen_by(m, args[0], result)


def _autograd(m: Machine, args: Args, keywords: Keywords) -> Value:
    inputs = args[1] if len(args) > 1 else keywords.get("inputs")
    parts = elements(m, inputs) if type(inputs) is Sequence else (inputs,)
    owner = next((part.owner for part in parts if type(part) is Data and part.owner is not None), None)
    flow = m.gradient(m.differentiate(deps_of(args[0]) if args else NO_DEPS), owner)
    return Sequence("tuple", (), Data(flow), True)


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


_BLANK = "zeros ones full empty zeros_like ones_like full_like empty_like"
_FRESH = "randn rand randn_like rand_like randperm eye linspace tril triu_indices"
_CASTS = (
    "tensor as_tensor from_numpy asarray array ascontiguousarray frombuffer float32 float64 int64 int32 int16 uint16 uint8 copy"
)
_COMBINE = "cat concat concatenate stack hstack vstack masked_fill pad repeat_interleave column_stack unique"
LOGARITHMS = "log log2 log10 log1p logaddexp logsumexp"


def _backward(m: Machine, args: Args, keywords: Keywords) -> Value:
    """`torch.autograd.backward(tensors)`."""
    for loss in elements(m, args[0]) if args and type(args[0]) is Sequence else args[:1]:
        m.backward(deps_of(loss))
    run_backward_hooks(m)
    return None


def scattered(m: Machine, args: Args, keywords: Keywords) -> Value:
    """`vector_to_parameters(vector, parameters)`, and the updates of torch.optim as functions (parameters, gradients): written in place."""
    first_is_list = bool(args) and type(args[0]) is Sequence
    targets, given = (args[0], args[1:]) if first_is_list else (args[1] if len(args) > 1 else None, args[:1])
    for target in elements(m, targets):
        if type(target) is Data:
            m.write(target, union(deps_of(v) for v in given), replace=False)
    return None


FUNCTIONS: dict[str, Effect] = {
    "torch.autograd.backward": _backward,
    "torch.nn.utils.vector_to_parameters": scattered,
    "torch.nn.utils.convert_parameters.vector_to_parameters": scattered,
    "torch.autograd.grad": _autograd,
    "numpy.add.at": _at_method,
    "numpy.subtract.at": _at_method,
    "numpy.maximum.at": _at_method,
    "numpy.copyto": _copyto,
    "liger_kernel.ops.fused_linear_cross_entropy.LigerFusedLinearCrossEntropyFunction.apply": _fused_cross_entropy,
    "torch.manual_seed": known(None),
    "math.log": _log_function,
    "math.log2": _log_function,
    "math.log1p": _log_function,
    "math.sqrt": arithmetic(math.sqrt),
    "math.ceil": arithmetic(math.ceil),
    "math.floor": arithmetic(math.floor),
    "math.exp": _exponential_function,
    "math.cos": arithmetic(math.cos),
    "math.prod": arithmetic(lambda *a: math.prod(a)),
}

BY_NAME: dict[tuple[str, str], Effect] = {
    **by_name("torch", _FRESH, fresh),
    **by_name("numpy", _FRESH, fresh),
    **by_name("torch", "roll", _roll),
    **by_name("torch", "flip", _flip),
    **by_name("numpy", "flip", _flip),
    **by_name("numpy", "roll", _roll),
    **by_name("torch", "randint", _random),
    **by_name("numpy", "randint integers choice", _random),
    **by_name("random", "randint randrange choice choices sample", _random),
    **by_name("torch", "arange", _arange),
    **by_name("numpy", "arange", _arange),
    **by_name("torch", _BLANK, blank),
    **by_name("numpy", _BLANK, blank),
    **by_name("torch", _CASTS, _cast_function),
    **by_name("numpy", _CASTS, _cast_function),
    **by_name("torch", " ".join(HASHES), _hash),
    **by_name("numpy", " ".join(HASHES), _hash),
    **by_name("torch", "take index_select", _take),
    **by_name("numpy", "take", _take),
    **by_name("torch", _COMBINE, _combine),
    **by_name("torch", "cat concat concatenate", _laid),
    **by_name("torch", "pad", _padded),
    **by_name("numpy", _COMBINE, _combine),
    **by_name("torch", "cross_entropy nll_loss linear_cross_entropy fused_linear_cross_entropy", _cross_entropy),
    **by_name("torch", "gather", _gather_function),
    **by_name("torch", "take_along_dim", _take_along_function),
    **by_name("numpy", "take_along_axis", _take_along_function),
    **by_name("torch", "is_tensor is_floating_point is_complex numel", known(Data(scalar=True))),
    **by_name("torch", LOGARITHMS, _log_function),
    **by_name("numpy", LOGARITHMS, _log_function),
    **by_name("torch", "bincount", _count_function),
    **by_name("numpy", "bincount", _count_function),
    **by_name("torch", "exp exp2", _exponential_function),
    **by_name("numpy", "exp exp2", _exponential_function),
    **by_name("torch", "sum mean nansum", _sum_function),
    **by_name("numpy", "sum mean nansum", _sum_function),
    **by_name("torch", "minimum fmin", _minimum),
    **by_name("numpy", "minimum fmin", _minimum),
    **by_name("torch", "nonzero argwhere", _positions_function),
    **by_name("numpy", "nonzero flatnonzero argwhere", _positions_function),
    **by_name("torch", "clamp clip clamp_max", _clamped),
    **by_name("numpy", "clip", _clamped),
    **by_name("torch", "where", _where),
    **by_name("numpy", "where", _where),
}
