"""Decoupled weight decay: before an update a weight loses lr * rate of itself (Loshchilov & Hutter 2019).

The cautious form loses nothing where the update would enlarge the weight (Chen et al. 2025).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Decay:
    """The rate of one parameter group."""

    rate: float
    cautious: bool = False

    @classmethod
    def of(cls, rate: float, cautious: bool) -> "Decay | None":
        """None for a rate of 0: nothing is computed then."""
        return cls(rate, cautious) if rate > 0 else None

    def apply(self, parameters: Sequence[Tensor], updates: Sequence[Tensor], lr: float, multiplier: float = 1.0) -> None:
        """p <- p - lr * rate * multiplier * p, where an update (to be subtracted) has the sign of p if cautious."""
        factor = lr * self.rate * multiplier
        if not self.cautious:
            torch._foreach_mul_(parameters, 1.0 - factor)
            return
        for parameter, update in zip(parameters, updates, strict=True):
            parameter.addcmul_(parameter, (parameter * update > 0).to(parameter.dtype), value=-factor)
