"""Batches of training windows by number.

Invariants: a batch is a pure function of (run.seed_data, step, slot); an epoch holds every window once, in an order of its own
and cut at an offset of its own; the windows of a step do not depend on how many slots share them.
"""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pgolf_ref.config import Config
from pgolf_ref.data.shards import open_shard, shard_files
from pgolf_ref.errors import UserError


class Loader:
    """Windows of seq_len + 1 tokens that lie within one shard; the tokens after a shard's last whole window are left out."""

    def __init__(self, config: Config) -> None:
        self._data, self._seed, self._vocab_size = config.data, config.run.seed_data, config.model.vocab_size
        self._files = shard_files(Path(config.data.path), "train")
        self._shards = [open_shard(file) for file in self._files]
        # One window less than fits, so that every offset below seq_len leaves the same number of windows.
        counts = [max(len(shard) - self._data.seq_len, 0) // self._data.seq_len for shard in self._shards]
        self._ends: NDArray[np.int64] = np.cumsum(counts)
        if self._ends[-1] == 0:
            raise UserError(
                f"the training shards in {config.data.path} are too short: "
                f"none holds two windows of data.seq_len = {self._data.seq_len} tokens"
            )
        self._epoch = -1

    @property
    def windows(self) -> int:
        """Windows of an epoch."""
        return int(self._ends[-1])

    def batch(self, step: int, slot: int) -> tuple[Tensor, Tensor]:
        """int64 (rows, seq_len) twice: inputs, and the same one token later."""
        first = (step * self._data.slots + slot) * self._data.rows
        rows = torch.from_numpy(np.stack([self._window(number) for number in range(first, first + self._data.rows)]))
        return rows[:, :-1].contiguous(), rows[:, 1:].contiguous()

    def _window(self, number: int) -> NDArray[np.int64]:
        epoch, place = divmod(number, self.windows)
        if epoch != self._epoch:
            generator = np.random.Generator(np.random.PCG64([self._seed, epoch]))
            self._offset = int(generator.integers(self._data.seq_len))
            self._order = generator.permutation(self.windows)
            self._epoch = epoch
        index = int(self._order[place])
        shard = int(np.searchsorted(self._ends, index, side="right"))
        within = index - (int(self._ends[shard - 1]) if shard else 0)
        start = self._offset + within * self._data.seq_len
        tokens = self._shards[shard][start : start + self._data.seq_len + 1].astype(np.int64)
        if tokens.max() >= self._vocab_size:
            raise UserError(
                f"{self._files[shard]} holds token {tokens.max()}, but model.vocab_size is {self._vocab_size}: "
                "the shards are of another tokenizer"
            )
        return tokens
