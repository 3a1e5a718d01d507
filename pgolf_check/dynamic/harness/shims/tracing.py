"""What a run does with the tokens of the validation shard, one JSON object a line. Runs in the sandbox alone.

A target is known by its neighbours in the stream, which is random, so that a few of them occur in one place only. A storage is marked with
the targets whose loss a backward pass carried into it; every operation that writes takes the marks of what it reads along. Each lookup of
targets in logits is told with its losses and with those of its targets that its logits are marked with; so are the parts of the losses that
are read without a gradient, each write that marks a parameter, as an update, and each printed line that speaks of a score.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

FILE = Path(".trace") / "events.jsonl"
HEADER_BYTES = 1024
FRAMES = 12
MOST_BYTES = 48 << 20
SCORE = re.compile(r"loss|bpb|\bvl[:=]", re.IGNORECASE)
RARE = 1000.0
"""How many times as many sequences of neighbours there must be as pairs of positions."""
REPLACES = frozenset(("zero_", "fill_", "normal_", "uniform_", "copy_", "trunc_normal_", "bernoulli_"))
"""In-place operations after which nothing of the old values is left, if they fill a whole storage."""
TARGETS = "pgolf targets"
TENSOR = torch.Tensor
NUMPY = TENSOR.numpy
"""The plain one: that of tensors is followed."""
LOSSES = (torch.nn.functional.cross_entropy, torch.nn.functional.nll_loss)
COPIES = frozenset(("to", "float", "double", "clone", "contiguous", "cpu", "detach", "reshape", "flatten", "neg"))
READS = frozenset(("to", "float", "double", "sum", "mean", "item", "tolist", "numpy"))
PRODUCTS = frozenset(("mul", "__mul__", "__rmul__", "multiply"))
KEPT = 16
"""How many of the latest lookups are followed to the parts of their losses that are read."""
GATHERS = (TENSOR.gather, torch.gather, TENSOR.take_along_dim, torch.take_along_dim)


class Stream:
    """The tokens of a shard, each place known by a short sequence of its neighbours."""

    def __init__(self, tokens: np.ndarray) -> None:
        symbols, ranks = np.unique(tokens, return_inverse=True)
        self.size = len(tokens)
        self._symbols = symbols
        self._bits = max(int(len(symbols) - 1).bit_length(), 1)
        wanted = int(np.ceil(np.log(RARE * self.size**2) / np.log(max(len(symbols), 2))))
        self.length = max(min(wanted, 62 // self._bits), 1)
        keys = self._keys(ranks)
        order = np.argsort(keys, kind="stable")
        ordered = keys[order]
        alone = np.ones(len(keys), dtype=bool)
        alone[1:] &= ordered[1:] != ordered[:-1]
        alone[:-1] &= ordered[1:] != ordered[:-1]
        self._known, self._places = ordered[alone], order[alone]

    def _keys(self, ranks: np.ndarray) -> np.ndarray:
        """The sequence that begins at each place, as one number."""
        count = max(len(ranks) - self.length + 1, 0)
        keys = np.zeros(count, dtype=np.int64)
        for offset in range(self.length):
            keys = (keys << self._bits) | ranks[offset : offset + count]
        return keys

    def locate(self, targets: np.ndarray) -> np.ndarray:
        """The position of each target, -1 where its neighbours do not tell."""
        found = np.full(len(targets), -1, dtype=np.int64)
        if not len(self._known) or len(targets) < self.length:
            return found
        ranks = np.searchsorted(self._symbols, targets).clip(max=len(self._symbols) - 1)
        foreign = self._symbols[ranks] != targets
        keys = self._keys(ranks)
        at = np.searchsorted(self._known, keys).clip(max=len(self._known) - 1)
        begins = np.where(self._known[at] == keys, self._places[at], -1)
        for offset in range(self.length):
            begins = np.where(foreign[offset : offset + len(begins)], -1, begins)
        for offset in range(self.length):
            part = found[offset : offset + len(begins)]
            part[...] = np.where((part < 0) & (begins >= 0), begins + offset, part)
        return found


def stream_of(folder: Path) -> Stream | None:
    """The validation shard of the challenge's layout below a folder."""
    shard = next(iter(sorted(folder.glob("data/datasets/*/fineweb_val_*.bin"))), None)
    return None if shard is None else Stream(np.fromfile(shard, dtype="<u2", offset=HEADER_BYTES).astype(np.int64))


def as_mask(positions: np.ndarray, size: int) -> int:
    """A set of positions as the bits of a number."""
    flags = np.zeros(size, dtype=np.uint8)
    flags[positions] = 1
    return int.from_bytes(np.packbits(flags, bitorder="little").tobytes(), "little")


def of_mask(mask: int, size: int) -> np.ndarray:
    """The positions in a set."""
    flags = np.unpackbits(np.frombuffer(mask.to_bytes((size + 7) // 8, "little"), dtype=np.uint8), bitorder="little")
    return np.flatnonzero(flags)


def ranges(positions: np.ndarray) -> list[list[int]]:
    """Positions in their order as [first, end) ranges."""
    if not len(positions):
        return []
    cuts = np.flatnonzero(np.diff(positions) != 1) + 1
    return [[int(part[0]), int(part[-1]) + 1] for part in np.split(positions, cuts)]


@dataclass(frozen=True)
class Lookup:
    """Losses of targets, in the order of their storage, the places of these, and which of them the logits had seen."""

    stack: list[tuple[str, int]]
    places: np.ndarray
    nats: np.ndarray
    seen: np.ndarray
    read: set[object] = field(default_factory=set)


class Trace:
    """Follows the torch functions of one run, and writes what it sees."""

    def __init__(self, stream: Stream, write: Callable[[str], Any], folder: Path) -> None:
        self._stream, self._write = stream, write
        self._folder = f"{folder.resolve()}{os.sep}"
        self._order = 0
        self._left = MOST_BYTES
        self._marks: dict[int, int] = {}
        self._parameters: dict[
            int, bool
        ] = {}  # storages of leaves; whether validation tokens were the first that one was trained on
        self._learning: tuple[tuple[str, int], ...] = ()  # where the last backward pass is, and how many leaves it reached
        self._reach = 0
        self._training: set[tuple[tuple[str, int], ...]] = set()  # where the backward passes are that learn from other tokens
        self._told: set[object] = set()
        self._outside: dict[bytes, int] = {}  # the marks of what left torch, by its content
        self._lookups: dict[int, Lookup] = {}  # by the storages of their losses

    # what is written

    def _tell(self, kind: str, **fields: Any) -> None:
        self._order += 1
        line = json.dumps({"kind": kind, "order": self._order, "stack": self._stack(), **fields}) + "\n"
        self._left -= len(line)
        if self._left > 0:
            self._write(line)

    def _stack(self) -> list[tuple[str, int]]:
        """The lines of the script that are being run, the outermost first."""
        found: list[tuple[str, int]] = []
        frame: Any = sys._getframe(1)
        while frame is not None and len(found) < FRAMES:
            name = frame.f_code.co_filename
            if name.startswith(self._folder):
                found.append((name[len(self._folder) :], frame.f_lineno))
            elif name.startswith("<") and not name.startswith("<frozen"):
                found.append((name, frame.f_lineno))
            frame = frame.f_back
        return found[::-1]

    def printed(self, text: str) -> None:
        if SCORE.search(text):
            self._tell("print", text=text[:2000])

    # what is seen

    def before(self, func: Any, args: Any, kwargs: Mapping[str, Any]) -> Any:
        """What `after` has to know of the moment before a call."""
        if func is TENSOR.backward:
            return self._reached(args[:1])
        if func is torch.autograd.grad:
            return self._reached(_tensors(args[0] if args else kwargs["outputs"]))
        return None

    def after(self, func: Any, args: Any, kwargs: Mapping[str, Any], result: Any, known: Any) -> None:
        if known is not None:
            self._backward(known, result)
            return
        if self._lookups:
            self._read(func, args, result)
        if self._marks:
            self._carry(func, args, kwargs, result)
        if func in LOSSES:
            self._loss(func, args, kwargs, result)
        elif func in GATHERS:
            self._gathered(args, kwargs, result)
        elif func is TENSOR.__getitem__:
            self._indexed(args, result)

    def _reached(self, roots: Iterable[Any]) -> tuple[int, list[tuple[Any, int]]]:
        """(the targets that a backward pass learns from, the leaves that it reaches, each with the marks of a gradient that is there already)"""
        nodes = [root.grad_fn for root in roots if isinstance(root, TENSOR) and root.grad_fn is not None]
        visited: set[Any] = set()
        mask = 0
        leaves: list[tuple[Any, int]] = []
        while nodes:
            node = nodes.pop()
            if node in visited:
                continue
            visited.add(node)
            kept: Any = node.metadata
            mask |= kept.get(TARGETS, 0)
            leaf = getattr(node, "variable", None)
            if leaf is not None:
                leaves.append((leaf, self.marks(leaf.grad) if leaf.grad is not None else 0))
                mask |= self.marks(leaf)
            nodes += [following for following, _ in node.next_functions if following is not None]
        return mask, leaves

    def _backward(self, known: tuple[int, list[tuple[Any, int]]], result: Any) -> None:
        mask, leaves = known
        self._learning, self._reach = tuple(self._stack()), len({_storage(leaf) for leaf, _ in leaves})
        if not mask:
            self._training.add(self._learning)
        for leaf, had in leaves:
            self._parameters.setdefault(_storage(leaf), bool(mask))
            if leaf.grad is not None:
                self._mark(_storage(leaf.grad), had | mask)
        for given in _tensors(result):
            self._mark(_storage(given), mask)
        self._told.clear()

    def marks(self, tensor: Any) -> int:
        return self._marks.get(_storage(tensor), 0) if self._marks else 0

    def left(self, tensor: Any) -> None:
        """A tensor is written, or given to another library."""
        mask = self.marks(tensor)
        digest = _digest(tensor) if mask else None
        if digest is not None:
            self._outside[digest] = mask

    def came(self, tensor: Any) -> None:
        """A tensor was made from the outside; it lies where something else may have lain before."""
        digest = _digest(tensor) if self._outside else None
        self._mark(_storage(tensor), self._outside.get(digest, 0) if digest is not None else 0)

    def _mark(self, storage: int, mask: int) -> None:
        if mask:
            self._marks[storage] = mask
        else:
            self._marks.pop(storage, None)

    def _carry(self, func: Any, args: Any, kwargs: Mapping[str, Any], result: Any) -> None:
        """Give what an operation wrote the marks of what it read."""
        name = getattr(func, "__name__", "")
        if name in ("__get__", "__set__"):  # of a view, or of a gradient: storages keep their marks
            return
        given = [_storage(each) for each in _tensors((*args, *kwargs.values()))]
        mask = 0
        for storage in given:
            mask |= self._marks.get(storage, 0)
        if _is_in_place(name) and args:
            self._written(name, args, mask)
            return
        known = set(given)
        for each in _tensors(result):
            storage = _storage(each)
            if storage not in known:
                self._mark(storage, mask)

    def _written(self, name: str, args: Any, mask: int) -> None:
        for target in _tensors(args[:1]):
            storage = _storage(target)
            before = self._marks.get(storage, 0)
            if name in REPLACES and _is_whole(target):
                others = 0
                for each in _tensors(args[1:]):
                    others |= self.marks(each)
                self._mark(storage, others)
            else:
                self._mark(storage, mask)
            if self._marks.get(storage, 0) & ~before and storage in self._parameters:
                self._updated(storage, self._marks[storage])

    def _updated(self, storage: int, mask: int) -> None:
        stack = tuple(self._stack())
        key = (stack, mask)
        if key not in self._told:
            self._told.add(key)
            self._tell(
                "update",
                positions=ranges(of_mask(mask, self._stream.size)),
                parameters=self._reach,
                fresh=self._parameters[storage],
                training=not self._training or self._learning in self._training,
            )

    # lookups of targets

    def _loss(self, func: Any, args: Any, kwargs: Mapping[str, Any], result: Any) -> None:
        named = dict(zip(("input", "target", "weight", "size_average", "ignore_index", "reduce", "reduction"), args, strict=False))
        named |= kwargs
        logits, targets = named["input"], named["target"]
        if logits.dim() not in (2, 3) or targets.is_floating_point():
            return
        reduction = named.get("reduction", "mean")

        def losses() -> Any:
            if reduction == "none":
                return result
            with torch.no_grad():
                return func(logits.detach(), targets, reduction="none", ignore_index=named.get("ignore_index", -100))

        self._looked_up(logits, targets, losses, result)

    def _gathered(self, args: Any, kwargs: Mapping[str, Any], result: Any) -> None:
        values = kwargs.get("input", args[0] if args else None)
        dim = kwargs.get("dim", args[1] if len(args) > 1 else None)
        index = kwargs.get("index", kwargs.get("indices", args[2] if len(args) > 2 else None))
        if isinstance(dim, TENSOR):
            dim, index = index, dim
        last = isinstance(values, TENSOR) and values.is_floating_point() and values.dim() > 1 and dim in (-1, values.dim() - 1)
        if last and isinstance(index, TENSOR) and index.dim() == values.dim() and index.size(-1) == 1:
            self._looked_up(values, index, lambda: _nats(result), result)

    def _indexed(self, args: Any, result: Any) -> None:
        values, index = args[0], args[1]
        if not (
            isinstance(values, TENSOR) and values.is_floating_point() and isinstance(index, tuple) and len(index) == values.dim()
        ):
            return
        targets = index[-1]
        if (
            isinstance(targets, TENSOR)
            and targets.dtype == torch.int64
            and isinstance(result, TENSOR)
            and result.shape == targets.shape
        ):
            self._looked_up(values, targets, lambda: _nats(result), result)

    def _looked_up(self, logits: Any, targets: Any, losses: Callable[[], Any], result: Any) -> None:
        """Tell a lookup of at least a sequence of known targets."""
        if targets.numel() < self._stream.length:
            return
        places = self._stream.locate(NUMPY(targets.detach().reshape(-1)).astype(np.int64))
        known = places >= 0
        if not known.any():
            return
        nats = NUMPY(losses().detach().reshape(-1).float())
        if nats.shape != places.shape:
            return
        mask = as_mask(places[known], self._stream.size)
        if isinstance(result, TENSOR) and result.grad_fn is not None:
            kept: Any = result.grad_fn.metadata
            kept[TARGETS] = mask
        flags = np.zeros(self._stream.size + 1, dtype=bool)
        flags[of_mask(self.marks(logits) & mask, self._stream.size)] = True
        lookup = Lookup(self._stack(), places, nats.astype("<f4"), flags[places])
        self._score(lookup, known)
        if isinstance(result, TENSOR) and result.numel() == len(places) > 1:
            self._follow(result, lookup)

    def _score(self, lookup: Lookup, which: np.ndarray, part: bool = False) -> None:
        positions = lookup.places[which]
        self._tell(
            "score",
            positions=ranges(positions),
            nats=base64.b64encode(lookup.nats[which].tobytes()).decode(),
            seen=ranges(positions[lookup.seen[which]]),
            lookup=lookup.stack,
            part=part,
        )

    def _follow(self, losses: Any, lookup: Lookup) -> None:
        if losses.is_contiguous() and losses.storage_offset() == 0:
            self._lookups.pop(_storage(losses), None)
            self._lookups[_storage(losses)] = lookup
            while len(self._lookups) > KEPT:
                del self._lookups[next(iter(self._lookups))]

    def _read(self, func: Any, args: Any, result: Any) -> None:
        """Tell the losses that a call without a gradient reads; follow copies of all of them."""
        given = args[0] if args and isinstance(args[0], TENSOR) else None
        lookup = self._lookups.get(_storage(given)) if given is not None else None
        name = getattr(func, "__name__", "")
        if lookup is not None and given is not None and not (given.requires_grad and torch.is_grad_enabled()):
            part = self._part(name, args, lookup)
            if part is not None:
                self._told_part(lookup, part)
        for each in _tensors(result):
            if lookup is None or _storage(each) != _storage(given):
                self._lookups.pop(_storage(each), None)
        whole = lookup is not None and given is not None and given.numel() == len(lookup.places) and given.is_contiguous()
        if whole and lookup is not None and name in COPIES and isinstance(result, TENSOR):
            self._follow(result, lookup)

    def _part(self, name: str, args: Any, lookup: Lookup) -> np.ndarray | None:
        """The indices of the losses that a call reads."""
        given, others = args[0], args[1:]
        indices = _indices(given)
        if indices.size and indices.max() >= len(lookup.places):
            return None
        chosen = others[0] if others and isinstance(others[0], TENSOR) and others[0].shape == given.shape else None
        if chosen is not None and (name == "__getitem__" and chosen.dtype == torch.bool or name in PRODUCTS):
            flags = NUMPY(chosen.detach())
            if not np.isin(flags, (0, 1)).all():
                return None
            indices = indices[flags.astype(bool)]
        elif name not in READS:
            return None
        flat: np.ndarray = indices.reshape(-1)
        return flat

    def _told_part(self, lookup: Lookup, part: np.ndarray) -> None:
        key = (*self._stack()[-1:], len(part), int(part.sum()))
        which = part[lookup.places[part] >= 0]
        if key not in lookup.read and len(which):
            lookup.read.add(key)
            self._score(lookup, which, part=True)


def _indices(view: Any) -> np.ndarray:
    """Where the elements of a view lie in its storage."""
    at = np.array(view.storage_offset())
    for size, stride in zip(view.shape, view.stride(), strict=True):
        at = at[..., None] + np.arange(size) * stride
    return at


def _nats(values: Any) -> Any:
    """The losses of looked-up probabilities or their logarithms."""
    values = values.detach()
    return -values if (values <= 0).all() else -values.clamp(min=1e-30).log()


def _is_in_place(name: str) -> bool:
    inner = name.startswith("__i") and name.endswith("__") and name not in ("__invert__", "__index__", "__int__", "__init__")
    return inner or name == "__setitem__" or (name.endswith("_") and not name.endswith("__"))


def _storage(tensor: Any) -> int:
    try:
        return int(tensor.untyped_storage().data_ptr())
    except (RuntimeError, NotImplementedError, AttributeError):
        return 0


def _is_whole(tensor: Any) -> bool:
    try:
        return bool(tensor.numel() * tensor.element_size() >= tensor.untyped_storage().nbytes())
    except (RuntimeError, NotImplementedError, AttributeError):
        return False


def _tensors(value: Any, depth: int = 3) -> Iterator[Any]:
    if isinstance(value, TENSOR):
        yield value
    elif depth and isinstance(value, list | tuple):
        for each in value:
            yield from _tensors(each, depth - 1)
    elif depth and isinstance(value, dict):
        for each in value.values():
            yield from _tensors(each, depth - 1)


def begin() -> Trace | None:
    """Start to trace the run in this folder; None if there is no validation shard, or nowhere to write to."""
    here = Path.cwd()
    stream = stream_of(here)
    if stream is None:
        return None
    try:
        FILE.parent.mkdir(exist_ok=True)
        output = FILE.open("a", buffering=1, encoding="utf-8")
    except OSError:
        return None
    trace = Trace(stream, output.write, here)
    _follow_prints(trace)
    _follow_files(trace)
    return trace


def _follow_prints(trace: Trace) -> None:
    """Lines of standard output, whoever writes them."""
    for stream in (sys.stdout, sys.stderr):
        stream.write = _followed(stream.write, trace)  # type: ignore[method-assign]


def _followed(write: Callable[[str], int], trace: Trace) -> Callable[[str], int]:
    parts: list[str] = []

    def writes(text: str) -> int:
        *lines, rest = text.split("\n")
        for line in lines:
            trace.printed("".join((*parts, line)))
            parts.clear()
        parts.append(rest)
        return write(text)

    return writes


def _follow_files(trace: Trace) -> None:
    """What leaves torch takes its marks along if it comes back bit-equal: by `save` and `load`, or as arrays."""
    save, load = torch.save, torch.load
    from_numpy = torch.from_numpy

    def saves(thing: Any, *args: Any, **options: Any) -> Any:
        for each in _tensors(thing):
            trace.left(each)
        return save(thing, *args, **options)

    def loads(*args: Any, **options: Any) -> Any:
        found = load(*args, **options)
        for each in _tensors(found):
            trace.came(each)
        return found

    def as_array(self: Any, *args: Any, **options: Any) -> Any:
        trace.left(self)
        return NUMPY(self, *args, **options)

    def of_array(array: Any) -> Any:
        found = from_numpy(array)
        trace.came(found)
        return found

    torch.save, torch.load, torch.from_numpy = saves, loads, of_array  # type: ignore[assignment]
    TENSOR.numpy = as_array  # type: ignore[method-assign]


def _digest(tensor: Any) -> bytes | None:
    """Of the content of a tensor that is not the same throughout, whatever its type."""
    try:
        values = tensor.detach().contiguous().cpu().flatten()
        raw = NUMPY(values.view(torch.uint8)).tobytes()
    except (RuntimeError, TypeError):
        return None
    return hashlib.blake2b(raw, digest_size=16).digest() if len(set(raw[:4096])) > 2 else None
