"""Batches of training windows by number.

Invariants: a batch is a pure function of (run.seed_data, step, slot); an epoch holds every window once; the windows of a step do not
depend on how many slots share them.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pgolf_ref.config import Config
from pgolf_ref.data.orders import ORDERS, Epoch
from pgolf_ref.data.packing import PackedDocuments
from pgolf_ref.data.shards import Tokens, open_shard, shard_files
from pgolf_ref.errors import UserError


class Windows(Protocol):
    """Windows of seq_len + 1 tokens by number."""

    @property
    def windows(self) -> int:
        """Windows of an epoch."""

    def window(self, number: int) -> tuple[int, NDArray[np.int64]]:
        """The shard and the tokens of a window."""


class Loader:
    """Rows of seq_len tokens and the same one token later, from windows in the order that the recipe names."""

    def __init__(self, config: Config) -> None:
        self._data, self._vocab_size = config.data, config.model.vocab_size
        self._files = shard_files(Path(config.data.path), "train")
        shards = [open_shard(file) for file in self._files]
        self._source: Windows
        if config.data.order == "documents":
            self._source = PackedDocuments(shards, config.data.seq_len, config.run.seed_data)
        else:
            self._source = OrderedWindows(shards, config.data.seq_len, config.run.seed_data, config.data.order)
        if self._source.windows == 0:
            raise UserError(
                f"the training shards in {config.data.path} are too short: "
                f"none holds two windows of data.seq_len = {self._data.seq_len} tokens"
            )

    @property
    def windows(self) -> int:
        """Windows of an epoch."""
        return self._source.windows

    def batch(self, step: int, slot: int) -> tuple[Tensor, Tensor]:
        """int64 (rows, seq_len) twice: inputs, and the same one token later."""
        first = (step * self._data.slots + slot) * self._data.rows
        rows = torch.from_numpy(np.stack([self._window(number) for number in range(first, first + self._data.rows)]))
        return rows[:, :-1].contiguous(), rows[:, 1:].contiguous()

    def _window(self, number: int) -> NDArray[np.int64]:
        shard, tokens = self._source.window(number)
        if tokens.max() >= self._vocab_size:
            raise UserError(
                f"{self._files[shard]} holds token {tokens.max()}, but model.vocab_size is {self._vocab_size}: "
                "the shards are of another tokenizer"
            )
        return tokens


class OrderedWindows:
    """Windows that lie within one shard, cut at an offset of each epoch; tokens after a shard's last whole window are left out."""

    def __init__(self, shards: Sequence[Tokens], seq_len: int, seed: int, order: str) -> None:
        self._shards, self._seq_len, self._seed, self._order_of = shards, seq_len, seed, ORDERS[order]
        # One window less than fits, so that every offset below seq_len leaves the same number of windows.
        self._counts = np.array([max(len(shard) - seq_len, 0) // seq_len for shard in shards])
        self._ends: NDArray[np.int64] = np.cumsum(self._counts)
        self._epoch: tuple[int, Epoch] | None = None

    @property
    def windows(self) -> int:
        return int(self._ends[-1])

    def window(self, number: int) -> tuple[int, NDArray[np.int64]]:
        epoch, place = divmod(number, self.windows)
        visits = self._visits(epoch)
        index = int(visits.order[place])
        shard = int(np.searchsorted(self._ends, index, side="right"))
        within = index - int(self._ends[shard] - self._counts[shard])
        start = int(visits.offsets[shard]) + within * self._seq_len
        return shard, self._shards[shard][start : start + self._seq_len + 1].astype(np.int64)

    def _visits(self, epoch: int) -> Epoch:
        if self._epoch is None or self._epoch[0] != epoch:
            generator = np.random.Generator(np.random.PCG64([self._seed, epoch]))
            self._epoch = epoch, self._order_of(self._counts, self._seq_len, generator)
        return self._epoch[1]
