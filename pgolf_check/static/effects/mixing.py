"""What mixes positions of a sequence: attention, shifts, and the masks that stop them where a document begins."""

from __future__ import annotations

from pgolf_check.static.effects.mixtures import LONGEST_SHIFT
from pgolf_check.static.effects.signature import Args, Effect, Keywords, by_name, pure
from pgolf_check.static.machine import Machine
from pgolf_check.static.records import Deps, Trace, Traced, has_reads, reads_of, states_of, traced_of, traces, without
from pgolf_check.static.values import NO_CONST, NO_REST, Data, Sequence, Value, constant, deps_of, options, tags_of

MODULES = {
    "MultiheadAttention": ("query", "key", "value", "key_padding_mask", "need_weights", "attn_mask"),
    "TransformerEncoderLayer": ("query", "src_mask", "src_key_padding_mask", "is_causal"),
    "TransformerEncoder": ("query", "mask", "src_key_padding_mask", "is_causal"),
}
"""The parameters of the modules of torch.nn that attend, in their order; the source of an encoder is query and key."""
SEQUENCE_DIMENSIONS = (1, -2)
"""Of a batch of activations: rows, positions, channels."""
TURNED_DIMENSIONS = (2, -2)
"""Of a batch of activations by heads: rows, heads, positions, channels."""
MIXING = frozenset((Trace.SHIFTED, Trace.CARRIED))
TURNING = frozenset(("transpose", "swapaxes", "swapdims", "permute"))


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


def turned(m: Machine, value: Value, name: str, args: Args, deps: Deps) -> Deps:
    """The dependencies of activations whose dimensions are exchanged: what stood where the positions were comes back with the next turn."""
    if name not in TURNING or not _active(value) or (name == "permute" and not _parted(args)):
        return deps
    return without(deps, Trace.TURNED) if traces(deps, Trace.TURNED) else deps | {Traced(Trace.TURNED, m.here())}


def _parted(order: Args) -> bool:
    """Whether an order of dimensions takes the second one away from the first."""
    order = order[0].items if order and type(order[0]) is Sequence else order
    known = [constant(place) for place in order]
    return 0 not in known or 1 not in known or known.index(1) != known.index(0) + 1


def _along_positions(dimension: Value, deps: Deps) -> bool:
    """Whether a dimension of activations is that of their positions."""
    return constant(dimension) in (TURNED_DIMENSIONS if traces(deps, Trace.TURNED) else SEQUENCE_DIMENSIONS)


def rolled(m: Machine, value: Value, args: Args, keywords: Keywords, result: Data) -> Data:
    """torch.roll(x, shifts, dims): of activations to the position behind, or ahead; of the rows of a parameter."""
    result.deps = reordered(m, value, result.deps)
    shift = constant(_only(args[0] if args else keywords.get("shifts")))
    dimension = _only(args[1] if len(args) > 1 else keywords.get("dims"))
    if isinstance(shift, int) and _along_positions(dimension, result.deps) and _active(value):
        result.deps = result.deps | {Traced(Trace.AHEAD if shift < 0 else Trace.SHIFTED, m.here())}
    return result


def _only(value: Value) -> Value:
    """The one element of a tuple; anything else as it is."""
    return value.items[0] if type(value) is Sequence and len(value.items) == 1 else value


def shifted(m: Machine, value: Data, index: Value, deps: Deps) -> Deps:
    """The dependencies of a part of activations that may be laid beside another: `x[:, :-1]`, `x[:, 1:]`, `x[:, :1]`."""
    part = _of_positions(index, deps)
    trace = None if part is None or value.tokens or not _active(value) else _kind(part, deps)
    return deps if trace is None else deps | {Traced(trace, m.here())}


def _of_positions(index: Value, deps: Deps) -> slice | None:
    """The slice along the positions in a subscript of activations."""
    items = [item for item in index.items if item is not None] if type(index) is Sequence else []
    first = len(items) if items and items[0] is Ellipsis else 0
    for place, part in enumerate(items):
        if (
            type(part) is slice
            and (part.start, part.stop, part.step) != (None, None, None)
            and _along_positions(place - first, deps)
        ):
            return part if part.step is None else None
    return None


def _kind(part: slice, deps: Deps) -> Trace | None:
    """What a slice of positions leaves of activations; those that stand behind already come back where they were without the first ones."""
    begin, end = constant(part.start), constant(part.stop)
    if part.start in (None, 0) and end == -1:
        return Trace.SHIFTED
    if isinstance(begin, int) and begin > 0 and part.stop is None:
        return None if traces(deps, Trace.SHIFTED) else Trace.LATER
    few = begin if part.stop is None else -end if part.start in (None, 0) and isinstance(end, int) else None
    return Trace.ENDS if isinstance(few, int) and -LONGEST_SHIFT <= few < 0 else None


def laid(m: Machine, parts: Value, dimension: Value, deps: Deps) -> Deps:
    """The dependencies of parts that are laid one after another (`cat`): the first one lies from the first position on."""
    if type(parts) is not Sequence or len(parts.items) < 2 or parts.rest is not NO_REST or not _along_positions(dimension, deps):
        return deps
    first, *others = [deps_of(part) for part in parts.items]
    if traces(first, Trace.LATER) and all(_fills_up(part, first) for part in others):
        return _moved_ahead(m, deps)
    if not has_reads(first) and any(_active(part) and not part.tokens for part in parts.items[1:] if type(part) is Data):
        deps = deps | {Traced(Trace.SHIFTED, m.here())}
    return _settled(deps)


def _fills_up(part: Deps, first: Deps) -> bool:
    """Whether a part only fills the end of what was moved: no activations, or the first or last of the same ones."""
    return not has_reads(part) or (traces(part, Trace.ENDS) and reads_of(part) <= reads_of(first))


def padded(m: Machine, value: Value, widths: Value, deps: Deps) -> Deps:
    """The dependencies of `pad(x, (0, 0, before, behind))`: a width below zero cuts."""
    known = [constant(width) for width in widths.items[-2:]] if type(widths) is Sequence and len(widths.items) >= 4 else []
    if len(known) < 2 or not all(isinstance(width, int) for width in known):
        return deps
    before, behind = known
    if behind > 0 and (before < 0 or (before == 0 and traces(deps, Trace.LATER))) and _active(value):
        return _moved_ahead(m, deps)
    return _settled(deps) if before > 0 else deps


def written(m: Machine, target: Data, index: Value, value: Value) -> Value:
    """What is written into positions: activations of the next ones are moved ahead, unless a tensor moves what it holds as a whole.

    Such a one may be a store of earlier positions that makes room for one more.
    """
    given = deps_of(value)
    part = _of_positions(index, given) if type(value) is Data and traces(given, Trace.LATER) else None
    if part is None:
        return value
    summed = bool(traced_of(given, MIXING) - target.deps)
    earlier = part.start in (None, 0) and constant(part.stop) in range(-LONGEST_SHIFT, 0)
    deps = _moved_ahead(m, given) if earlier and (summed or not has_reads(target.deps)) else _settled(given)
    return Data(deps, value.tags, scalar=value.scalar)


def mixed_in(m: Machine, target: Data, deps: Deps) -> Deps:
    """The dependencies of what a method adds to a part of activations in place: `x[:, :-1].add_(x[:, 1:])`."""
    ahead = traces(deps, Trace.LATER) and traces(target.deps, Trace.SHIFTED) and not traces(target.deps, Trace.LATER)
    return _moved_ahead(m, deps) if ahead else deps


def _moved_ahead(m: Machine, deps: Deps) -> Deps:
    """The dependencies of activations of which each lies where the one before it was."""
    return _settled(deps) | {Traced(Trace.AHEAD, m.here())}


def _settled(deps: Deps) -> Deps:
    """The dependencies of parts that have found their positions."""
    return without(without(deps, Trace.LATER), Trace.ENDS)


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
