"""When the training loss stops falling, which lets the warm-down begin early.

Invariant: all ranks find the same, for they look at the loss of all of them, and a run that goes on finds what the whole run does.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from pgolf_ref.distributed import World
from pgolf_ref.optim.snapshots import ROUNDING


class Plateau:
    """Compares the mean loss of each stretch of the run with that of the stretch before."""

    def __init__(self, stretch: float, gain: float, world: World) -> None:
        self.since: float | None = None
        """The fraction of the run at which the loss was found not to have fallen by `gain`."""
        self._stretch, self._gain, self._world = stretch, gain, world
        self._before = float("inf")
        self._number = 0
        self._count = 0
        self._total = torch.zeros((), device=world.device)

    def update(self, loss: Tensor, fraction: float) -> None:
        """Take in this rank's share of the loss of a step, after which the run is at `fraction`."""
        if self.since is not None:
            return
        self._total += loss
        self._count += 1
        number = int(fraction / self._stretch + ROUNDING)
        if number > self._number:
            mean = float(self._world.sum(self._total)) / self._count
            if mean > self._before - self._gain:
                self.since = fraction
            self._before, self._number, self._count = mean, number, 0
            self._total.zero_()

    def state_dict(self) -> dict[str, Tensor]:
        """The stretch so far and the one before; every rank has to ask."""
        since = -1.0 if self.since is None else self.since
        numbers = torch.tensor([since, self._before, self._number, self._count], dtype=torch.float64)
        return {"numbers": numbers, "total": self._world.sum(self._total)}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        since, self._before, number, count = state["numbers"].tolist()
        self.since, self._number, self._count = (None if since < 0 else since), int(number), int(count)
        self._total.copy_(state["total"] if self._world.is_main else torch.zeros(()))
