"""What mixes positions of a sequence: attention, shifts, and the masks that stop them where a document begins."""

from __future__ import annotations

from pgolf_check.static.effects.signature import Args, Effect, Keywords, by_name, pure
from pgolf_check.static.machine import Machine
from pgolf_check.static.records import Deps, Trace, Traced, reads_of, states_of, traces, without
from pgolf_check.static.values import NO_CONST, Data, Sequence, Value, constant, deps_of, options, tags_of

MODULES = {
    "MultiheadAttention": ("query", "key", "value", "key_padding_mask", "need_weights", "attn_mask"),
    "TransformerEncoderLayer": ("query", "src_mask", "src_key_padding_mask", "is_causal"),
    "TransformerEncoder": ("query", "mask", "src_key_padding_mask", "is_causal"),
}
"""The parameters of the modules of torch.nn that attend, in their order; the source of an encoder is query and key."""
SEQUENCE_DIMENSIONS = (1, -2)
"""Of a batch of activations: rows, positions, channels."""


def _scaled_dot_product(m: Machine, args: Args, keywords: Keywords) -> Value:
    """torch's attention(query, key, value, attn_mask=None, dropout_p=0.0, is_causal=False)."""
    named = {**dict(zip(("query", "key", "value", "attn_mask", "dropout_p", "is_causal"), args, strict=False)), **keywords}
    mask = named.get("attn_mask")
    causal = mask is not None or constant(named.get("is_causal", False)) is not False
    result = _attended(m, args, keywords, named, causal=causal)
    return _of_documents(m, result) if traces(deps_of(mask), Trace.BOUNDARY) else result


def _flash(m: Machine, args: Args, keywords: Keywords) -> Value:
    """flash_attn_func(q, k, v, ..., causal=False, window_size=(-1, -1)); what else is given by place differs between versions."""
    named = {**dict(zip(("query", "key", "value"), args, strict=False)), **keywords}
    told = len(args) > 3 or "window_size" in keywords
    return _attended(m, args, keywords, named, causal=told or constant(keywords.get("causal", False)) is not False)


def _flash_packed(m: Machine, args: Args, keywords: Keywords) -> Value:
    """The same over rows that hold several documents, with the places where these begin."""
    named = {**dict(zip(("query", "key", "value"), args, strict=False)), **keywords}
    told = "window_size" in keywords or "causal" not in keywords
    return _of_documents(m, _attended(m, args, keywords, named, causal=told or constant(keywords["causal"]) is not False))


def _of_documents(m: Machine, attended: Data) -> Data:
    """The result of attention that stops where a document begins: its rows hold several."""
    attended.deps = attended.deps | {Traced(Trace.PACKED, m.here())}
    return attended


def through_module(m: Machine, path: str, args: Args, keywords: Keywords, deps: Deps) -> Deps:
    """The dependencies of what a module of torch.nn returns: attention of torch.nn lets later positions in unless it gets a mask."""
    places = MODULES.get(path.rpartition(".")[2])
    if places is None:
        return deps
    named = {**dict(zip(places, args, strict=False)), **keywords}
    masked = any(named.get(name) is not None for name in ("attn_mask", "mask", "src_mask"))
    causal = masked or constant(named.get("is_causal", False)) is not False
    query, key = deps_of(named.get("query")), deps_of(named.get("key", named.get("query")))
    return deps if causal else _looking_ahead(m, query, key, deps)


def _attended(m: Machine, args: Args, keywords: Keywords, named: Keywords, *, causal: bool) -> Data:
    """The result of attention; what is not causal lets later positions in, if queries and keys are of the same tokens."""
    result = pure(m, args, keywords)
    if not causal:
        result.deps = _looking_ahead(m, deps_of(named.get("query")), deps_of(named.get("key")), result.deps)
    return result


def _looking_ahead(m: Machine, query: Deps, key: Deps, deps: Deps) -> Deps:
    """The dependencies of attention that is not causal."""
    return deps | {Traced(Trace.AHEAD, m.here())} if states_of(query) and reads_of(query) & reads_of(key) else deps


def rolled(m: Machine, value: Value, args: Args, keywords: Keywords, result: Data) -> Data:
    """torch.roll(x, shifts, dims): of activations to the position behind, or ahead; of the rows of a parameter."""
    result.deps = reordered(m, value, result.deps)
    shift = constant(args[0] if args else keywords.get("shifts"))
    dimension = constant(args[1] if len(args) > 1 else keywords.get("dims"))
    if isinstance(shift, int) and dimension in SEQUENCE_DIMENSIONS and _active(value):
        result.deps = result.deps | {Traced(Trace.AHEAD if shift < 0 else Trace.SHIFTED, m.here())}
    return result


def shifted(m: Machine, value: Data, index: Value, deps: Deps) -> Deps:
    """The dependencies of `x[:, :-1]`: the activations without the last position, to be laid beside those of the next ones."""
    part = index.items[1] if type(index) is Sequence and len(index.items) > 1 else None
    if type(part) is slice and part.start is None and part.stop == -1 and not value.tokens and _active(value):
        return deps | {Traced(Trace.SHIFTED, m.here())}
    return deps


def carried(m: Machine, left: Value, right: Value, deps: Deps) -> Deps:
    """The dependencies of a sum: activations with those of the position before."""
    for moved, own in ((left, right), (right, left)) if traces(deps, Trace.SHIFTED) else ():
        if traces(deps_of(moved), Trace.SHIFTED) and _active(own) and not traces(deps_of(own), Trace.SHIFTED):
            return without(deps, Trace.SHIFTED) | {Traced(Trace.CARRIED, m.here())}
    return deps


def stopped(deps: Deps, mask: Value) -> Deps:
    """The dependencies of moved activations under a mask: one that tells where documents begin stops them there."""
    return without(deps, Trace.SHIFTED) if traces(deps, Trace.SHIFTED) and traces(deps_of(mask), Trace.BOUNDARY) else deps


def _active(value: Value) -> bool:
    deps = deps_of(value)
    return bool(states_of(deps)) and bool(reads_of(deps))


def exchanged(m: Machine, parameter: Data, index: Value) -> Data | None:
    """The rows of a parameter at an index; None if the index is a number, a slice or a name of a part."""
    if not any(type(i) is Data and not i.scalar and i.const is NO_CONST for i in options(index)):
        return None
    return Data(reordered(m, parameter, deps_of(parameter)), tags_of(index))


def reordered(m: Machine, value: Value, deps: Deps) -> Deps:
    """The dependencies of the rows of a value in another order: noted if the value is a parameter."""
    owner = value.owner if type(value) is Data else None
    return deps if owner is None else deps | {Traced(Trace.PEER, m.here(), owner.name)}


BY_NAME: dict[tuple[str, str], Effect] = {
    **by_name("torch", "scaled_dot_product_attention", _scaled_dot_product),
    **by_name("flash_attn", "flash_attn_func", _flash),
    **by_name("flash_attn_interface", "flash_attn_func", _flash),
    **by_name("flash_attn", "flash_attn_varlen_func", _flash_packed),
    **by_name("flash_attn_interface", "flash_attn_varlen_func", _flash_packed),
}
