"""Decoupled weight decay: before an update a weight loses lr * rate of itself (Loshchilov & Hutter 2019).

The cautious form loses nothing where the update would enlarge the weight (Chen et al. 2025). The L1 form goes lr * l1 towards zero,
whatever the weight's size, and stops there.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F


@dataclass(frozen=True, slots=True)
class Decay:
    """The rates of one parameter group."""

    rate: float
    cautious: bool = False
    l1: float = 0.0

    @classmethod
    def of(cls, rate: float, cautious: bool, l1: float = 0.0) -> "Decay | None":
        """None for rates of 0: nothing is computed then."""
        return cls(rate, cautious, l1) if rate > 0 or l1 > 0 else None

    def apply(self, parameters: Sequence[Tensor], updates: Sequence[Tensor], lr: float, multiplier: float = 1.0) -> None:
        """p <- p - lr * rate * multiplier * p, where an update (to be subtracted) has the sign of p if cautious; then the L1 form."""
        if self.rate > 0:
            self._shrink(parameters, updates, lr * self.rate * multiplier)
        if self.l1 > 0:
            for parameter in parameters:
                parameter.copy_(F.softshrink(parameter, lr * self.l1))

    def _shrink(self, parameters: Sequence[Tensor], updates: Sequence[Tensor], factor: float) -> None:
        if not self.cautious:
            torch._foreach_mul_(parameters, 1.0 - factor)
            return
        for parameter, update in zip(parameters, updates, strict=True):
            parameter.addcmul_(parameter, (parameter * update > 0).to(parameter.dtype), value=-factor)
