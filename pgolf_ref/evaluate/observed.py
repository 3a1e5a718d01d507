"""A scoring ledger that also keeps how uncertain every distribution was, for the tables of `inspect`."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pgolf_ref.data.shards import Tokens
from pgolf_ref.distributed import World
from pgolf_ref.evaluate.bpb import ByteCounts
from pgolf_ref.evaluate.ledger import Commitment, Range, ScoringLedger


class ObservedLedger(ScoringLedger):
    """The same order and the same scores; the entropy of a distribution is the loss that it expects of itself."""

    def __init__(self, stream: Tokens, counts: ByteCounts, world: World) -> None:
        super().__init__(stream, counts, world)
        self._entropies = torch.zeros(len(stream), dtype=torch.float64)

    def commit_ranges(self, ranges: Sequence[Range], logits: Tensor) -> Commitment:
        commitment = super().commit_ranges(ranges, logits)
        log_p = commitment.log_probabilities
        entropies = -(log_p.exp() * log_p).nan_to_num(0.0).sum(dim=1).to(torch.float64).cpu()
        for (first, end), part in zip(ranges, entropies.split([end - first for first, end in ranges]), strict=True):
            self._entropies[first:end] = part
        return commitment

    def entropies(self) -> NDArray[np.float64]:
        """Nats of every position after the first, once all are scored: float64 (tokens - 1,)"""
        self.total()
        nats: NDArray[np.float64] = self._entropies[1:].numpy().copy()
        return nats

    def _share(self, first: int, end: int) -> None:
        super()._share(first, end)
        self._entropies[first:end] = self._world.sum(self._entropies[first:end].to(self._world.device)).cpu()
