"""Which losses a tensor is computed from, by its storage, so that a total that is read tells what it counts. Runs in the sandbox alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from .storages import REPLACES, is_in_place, is_whole, storage_of, tensors

Part = tuple[int, np.ndarray]
"""Losses of a lookup: its place in the order of what was told, and the positions of their targets, -1 for unknown ones."""
MOST_PARTS = 1 << 14
"""More than a total holds: what feeds itself would hold ever more."""
READ = frozenset(("item", "__float__", "tolist"))


class Totals:
    """What tensors hold, each loss as often as it was added: whoever adds one twice states another value.

    What has a gradient is learnt from, and no total.
    """

    def __init__(self) -> None:
        self._held: dict[int, list[Part]] = {}

    def start(self, result: Any, part: Part) -> None:
        """A call made tensors of losses alone."""
        for each in tensors(result):
            self._held[storage_of(each)] = [part]

    def of(self, tensor: Any) -> list[Part]:
        return self._held.get(storage_of(tensor), [])

    def carry(self, name: str, args: Any, kwargs: Mapping[str, Any], result: Any) -> None:
        """What a call wrote holds what it read."""
        if not self._held or name in ("__get__", "__set__"):
            return
        if is_in_place(name) and args:
            self._written(name, args)
            return
        given = {storage_of(each): each for each in tensors((*args, *kwargs.values()))}
        parts = self._all(given)
        for each in tensors(result):
            storage = storage_of(each)
            if storage not in given:
                self._hold(storage, [] if each.requires_grad else list(parts))

    def _written(self, name: str, args: Any) -> None:
        added = self._all(storage_of(each) for each in tensors(args[1:]))
        for target in tensors(args[:1]):
            storage = storage_of(target)
            if name in REPLACES and is_whole(target):
                self._hold(storage, added)
            elif added and not target.requires_grad:
                self._hold(storage, self._held.get(storage, []) + added)

    def _all(self, storages: Iterable[int]) -> list[Part]:
        return [part for storage in storages for part in self._held.get(storage, ())]

    def _hold(self, storage: int, parts: list[Part]) -> None:
        if 0 < len(parts) <= MOST_PARTS:
            self._held[storage] = parts
        else:
            self._held.pop(storage, None)
