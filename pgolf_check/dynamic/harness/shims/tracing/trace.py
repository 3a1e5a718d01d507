"""What a run does with the tokens of the validation shard, one JSON object a line. Runs in the sandbox alone.

A target is known by its neighbours in the stream, which is random, so that a few of them occur in one place only. A storage is marked with
the targets whose loss a backward pass carried into it; every operation that writes takes the marks of what it reads along. Each lookup of
targets in logits is told with its losses and with those of its targets that its logits are marked with; so are the parts of the losses that
are read without a gradient, the numbers that are computed from many of them, each write that marks a parameter, as an update, and each
printed line that speaks of a score.
"""

from __future__ import annotations

import base64
import json
import os
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from .following import follow_files, follow_functions, follow_prints
from .lookups import COPIES, Found, lookup_in, part_read
from .positions import Stream, as_mask, of_mask, ranges, stream_of
from .storages import (
    NUMPY,
    REPLACES,
    TENSOR,
    digest_of,
    is_in_place,
    is_whole,
    storage_of,
    tensors,
)
from .totals import READ, Totals

FILE = Path(".trace") / "events.jsonl"
FRAMES = 12
MOST_BYTES = 48 << 20
SCORE = re.compile(r"loss|bpb|\bvl[:=]", re.IGNORECASE)
TARGETS = "pgolf targets"
KEPT = 16
"""How many of the latest lookups are followed to the parts of their losses that are read."""
Stack = tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Lookup:
    """Losses of targets, in the order of their storage, the places of these, and which of them the logits had seen; when it was told."""

    stack: list[tuple[str, int]]
    places: np.ndarray
    nats: np.ndarray
    seen: np.ndarray
    order: int
    read: set[object] = field(default_factory=set)


class Trace:
    """Follows the torch functions of one run, and writes what it sees."""

    def __init__(self, stream: Stream, write: Callable[[str], Any], folder: Path) -> None:
        self._stream, self._write = stream, write
        self._folder = f"{folder.resolve()}{os.sep}"
        self._order = 0
        self._left = MOST_BYTES
        self._marks: dict[int, int] = {}  # by storage
        self._parameters: dict[int, bool] = {}  # of leaves: whether validation tokens were the first that one was trained on
        self._learning: Stack = ()  # where the last backward pass is
        self._reach = 0  # how many leaves it reached
        self._training: set[Stack] = set()  # where the backward passes are that learn from other tokens
        self._told: set[object] = set()
        self._outside: dict[bytes, int] = {}  # the marks of what left torch, by its content
        self._lookups: dict[int, Lookup] = {}  # by the storages of their losses
        self._totals = Totals()
        self._inside: list[int] = []  # of the autograd functions that are being run: the targets that were looked up

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
            return self._reached(tensors(args[0] if args else kwargs["outputs"]))
        return None

    def after(self, func: Any, args: Any, kwargs: Mapping[str, Any], result: Any, known: Any) -> None:
        if known is not None:
            self._backward(known, result)
            return
        name = getattr(func, "__name__", "")
        self._totals.carry(name, args, kwargs, result)
        if name in READ and args:
            self._total_read(args[0], result)
        if self._lookups:
            self._read(name, args, result)
        if self._marks:
            self._carry(name, args, kwargs, result)
        found = lookup_in(func, args, kwargs, result)
        if found is not None:
            self._looked_up(found, result)

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
        self._learning, self._reach = tuple(self._stack()), len({storage_of(leaf) for leaf, _ in leaves})
        if not mask:
            self._training.add(self._learning)
        for leaf, had in leaves:
            self._parameters.setdefault(storage_of(leaf), bool(mask))
            if leaf.grad is not None:
                self._mark(storage_of(leaf.grad), had | mask)
        for given in tensors(result):
            self._mark(storage_of(given), mask)
        self._told.clear()

    def enter_function(self) -> None:
        """The forward pass of an autograd function begins, where nothing has a gradient."""
        self._inside.append(0)

    def leave_function(self, result: Any) -> None:
        """It ends, with what it returns, None after an error: a backward pass through that learns from what it looked up."""
        mask = self._inside.pop()
        if self._inside:
            self._inside[-1] |= mask
        for each in tensors(result) if mask else ():
            self._learns_from(each, mask)

    @staticmethod
    def _learns_from(result: Any, mask: int) -> None:
        if isinstance(result, TENSOR) and result.grad_fn is not None:
            kept: Any = result.grad_fn.metadata
            kept[TARGETS] = mask

    def marks(self, tensor: Any) -> int:
        return self._marks.get(storage_of(tensor), 0) if self._marks else 0

    def left(self, tensor: Any) -> None:
        """A tensor is written, or given to another library."""
        mask = self.marks(tensor)
        digest = digest_of(tensor) if mask else None
        if digest is not None:
            self._outside[digest] = mask

    def came(self, tensor: Any) -> None:
        """A tensor was made from the outside; it lies where something else may have lain before."""
        digest = digest_of(tensor) if self._outside else None
        self._mark(storage_of(tensor), self._outside.get(digest, 0) if digest is not None else 0)

    def _mark(self, storage: int, mask: int) -> None:
        if mask:
            self._marks[storage] = mask
        else:
            self._marks.pop(storage, None)

    def _carry(self, name: str, args: Any, kwargs: Mapping[str, Any], result: Any) -> None:
        """Give what an operation wrote the marks of what it read."""
        if name in ("__get__", "__set__"):  # of a view, or of a gradient: storages keep their marks
            return
        given = [storage_of(each) for each in tensors((*args, *kwargs.values()))]
        mask = 0
        for storage in given:
            mask |= self._marks.get(storage, 0)
        if is_in_place(name) and args:
            self._written(name, args, mask)
            return
        known = set(given)
        for each in tensors(result):
            storage = storage_of(each)
            if storage not in known:
                self._mark(storage, mask)

    def _written(self, name: str, args: Any, mask: int) -> None:
        for target in tensors(args[:1]):
            storage = storage_of(target)
            before = self._marks.get(storage, 0)
            if name in REPLACES and is_whole(target):
                others = 0
                for each in tensors(args[1:]):
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

    def _looked_up(self, found: Found, result: Any) -> None:
        """Tell a lookup of at least a sequence of known targets."""
        if found.targets.numel() < self._stream.length:
            return
        places = self._stream.locate(NUMPY(found.targets.detach().reshape(-1)).astype(np.int64))
        known = places >= 0
        if not known.any():
            return
        nats = NUMPY(found.losses().detach().reshape(-1).float())
        if nats.shape != places.shape:
            return
        mask = as_mask(places[known], self._stream.size)
        self._learns_from(result, mask)
        if self._inside:
            self._inside[-1] |= mask
        flags = np.zeros(self._stream.size + 1, dtype=bool)
        flags[of_mask(self.marks(found.logits) & mask, self._stream.size)] = True
        lookup = Lookup(self._stack(), places, nats.astype("<f4"), flags[places], self._order + 1)
        self._score(lookup, known)
        if isinstance(result, TENSOR) and result.numel() == len(places) > 1:
            self._follow(result, lookup)
        else:
            self._totals.start(result, (lookup.order, places))

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
            self._lookups.pop(storage_of(losses), None)
            self._lookups[storage_of(losses)] = lookup
            while len(self._lookups) > KEPT:
                del self._lookups[next(iter(self._lookups))]

    def _read(self, name: str, args: Any, result: Any) -> None:
        """Tell the losses that a call without a gradient reads; follow copies of all of them."""
        given = args[0] if args and isinstance(args[0], TENSOR) else None
        lookup = self._lookups.get(storage_of(given)) if given is not None else None
        if lookup is not None and given is not None and not (given.requires_grad and torch.is_grad_enabled()):
            part = part_read(name, args, len(lookup.places))
            if part is not None:
                self._told_part(lookup, part)
                if isinstance(result, TENSOR) and storage_of(result) != storage_of(given):
                    self._totals.start(result, (lookup.order, lookup.places[part]))
        for each in tensors(result):
            if lookup is None or storage_of(each) != storage_of(given):
                self._lookups.pop(storage_of(each), None)
        whole = lookup is not None and given is not None and given.numel() == len(lookup.places) and given.is_contiguous()
        if whole and lookup is not None and name in COPIES and isinstance(result, TENSOR):
            self._follow(result, lookup)

    def _told_part(self, lookup: Lookup, part: np.ndarray) -> None:
        key = (*self._stack()[-1:], len(part), int(part.sum()))
        which = part[lookup.places[part] >= 0]
        if key not in lookup.read and len(which):
            lookup.read.add(key)
            self._score(lookup, which, part=True)

    def _total_read(self, total: Any, value: Any) -> None:
        """Tell a number that is computed from the losses of half of the stream."""
        parts = self._totals.of(total)
        count = sum(len(positions) for _, positions in parts)
        if isinstance(value, float) and 2 * count >= self._stream.size:
            told = [[order, ranges(positions[positions >= 0])] for order, positions in parts]
            self._tell("total", value=value, count=count, parts=told)


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
    follow_prints(trace)
    follow_files(trace)
    follow_functions(trace)
    return trace
