"""Exponential moving average of the weights, with its time constant as a fraction of the run.

Invariant: the average of constant weights is those weights. The decay of a step is exp(-progress made / horizon), so the
result does not depend on how many steps fit in the run.
"""

import math
from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn


class WeightAverage:
    """Starts at the weights that it is made from."""

    def __init__(self, parameters: Iterable[nn.Parameter], horizon: float) -> None:
        self._parameters = list(parameters)
        self._average = [p.detach().clone() for p in self._parameters]
        self._horizon = horizon
        self._fraction = 0.0

    @torch.no_grad()
    def update(self, fraction: float) -> None:
        """Take in the present weights, reached at this fraction of the run."""
        weight = -math.expm1((self._fraction - fraction) / self._horizon)
        self._fraction = fraction
        torch._foreach_lerp_(self._average, [p.detach() for p in self._parameters], weight)

    @torch.no_grad()
    def store(self) -> None:
        """Write the average into the parameters."""
        torch._foreach_copy_([p.detach() for p in self._parameters], self._average)

    def state_dict(self) -> dict[str, Tensor]:
        """The average of every parameter, and the fraction of the run that it has reached."""
        averages = {f"average.{i}": average for i, average in enumerate(self._average)}
        return {"fraction": torch.tensor(self._fraction, dtype=torch.float64), **averages}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        self._fraction = float(state["fraction"])
        for i, average in enumerate(self._average):
            average.copy_(state[f"average.{i}"])
