"""The order in which an epoch visits the windows of the training shards.

Invariants: an order is a function of the seed and the epoch; it holds every window exactly once; where shards lie on a disk, and
how many ranks read them, do not matter.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Epoch:
    """Windows in the order of their visits, numbered through all shards, and the first token of window 0 of each shard."""

    order: Array
    offsets: Array


def sequential(counts: Array, seq_len: int, generator: np.random.Generator) -> Epoch:
    """One shard after the other from its first token; the same for every seed and epoch."""
    return Epoch(np.arange(counts.sum()), np.zeros_like(counts))


def shuffled(counts: Array, seq_len: int, generator: np.random.Generator) -> Epoch:
    """A permutation of all windows, cut at one offset."""
    offset = generator.integers(seq_len)
    return Epoch(generator.permutation(counts.sum()), np.full_like(counts, offset))


def coprime(counts: Array, seq_len: int, generator: np.random.Generator) -> Epoch:
    """Each shard by a stride that is coprime with its number of windows; the shards in turn, in proportion to their windows.

    The i-th window visited of a shard of n has the place (i + jitter) / n in the epoch, the jitter in [0, 1) being the shard's own.
    """
    offsets = generator.integers(seq_len, size=len(counts))
    windows, places = [], []
    for first, count in zip(np.cumsum(counts) - counts, counts.tolist(), strict=True):
        start, stride, jitter = int(generator.integers(max(count, 1))), _coprime_stride(count, generator), generator.random()
        visits = np.arange(count)
        windows.append(first + (start + visits * stride) % max(count, 1))
        places.append((visits + jitter) / max(count, 1))
    return Epoch(np.concatenate(windows)[np.argsort(np.concatenate(places), kind="stable")], offsets)


ORDERS: dict[str, Callable[[Array, int, np.random.Generator], Epoch]] = {
    "shuffled": shuffled,
    "sequential": sequential,
    "coprime": coprime,
}


def _coprime_stride(count: int, generator: np.random.Generator) -> int:
    """A stride of at least a third of the way, where there is one, so that neighbours in time are no neighbours in the text."""
    if count < 3:
        return 1
    stride = int(generator.integers(count // 3, count - 1)) + 1
    while math.gcd(stride, count) > 1:
        stride += 1
    return stride
