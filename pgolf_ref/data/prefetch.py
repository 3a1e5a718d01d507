"""Batches that are read while the step before them is computed.

Invariants: a batch is that of the loader behind, whatever was asked before; an error of the loader is raised where its batch is asked.
"""

from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Protocol

from torch import Tensor

Batch = tuple[Tensor, Tensor]


class Batches(Protocol):
    """Batches by number."""

    def batch(self, step: int, slot: int) -> Batch: ...


class Prefetching:
    """A loader that reads ahead in one thread: after each batch the next `ahead` ones of this rank's slots, step after step."""

    def __init__(self, loader: Batches, slots: Sequence[int], ahead: int = 2) -> None:
        self._loader, self._slots, self._ahead = loader, slots, ahead
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="loader")
        self._waiting: OrderedDict[tuple[int, int], Future[Batch]] = OrderedDict()

    def batch(self, step: int, slot: int) -> Batch:
        wanted = self._waiting.pop((step, slot), None) or self._read(step, slot)
        following = self._following(step, slot)
        for number in [number for number in self._waiting if number not in following]:
            self._waiting.pop(number).cancel()
        for number in following:
            if number not in self._waiting:
                self._waiting[number] = self._read(*number)
        return wanted.result()

    def close(self) -> None:
        """End the thread; batches that were read ahead are dropped."""
        self._worker.shutdown(cancel_futures=True)

    def _following(self, step: int, slot: int) -> list[tuple[int, int]]:
        if slot not in self._slots:
            return []
        place = step * len(self._slots) + self._slots.index(slot)
        numbers = (divmod(place + i, len(self._slots)) for i in range(1, self._ahead + 1))
        return [(step, self._slots[index]) for step, index in numbers]

    def _read(self, step: int, slot: int) -> "Future[Batch]":
        return self._worker.submit(self._loader.batch, step, slot)
