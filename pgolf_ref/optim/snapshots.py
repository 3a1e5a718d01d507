"""Mean of snapshots of the weights: all of the run's last part (SWA, Izmailov et al. 2018) or the latest k (LAWA, Kaddour 2022).

Invariant: the mean of constant weights is those weights. Snapshots are due at fractions of the run, so that how many steps fit in it
changes neither how many there are nor when they are taken.
"""

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn

ROUNDING = 1e-9


class SnapshotAverage:
    """Over the last `tail` of the run, one snapshot every `every` of it; `last` of them count, all if 0."""

    def __init__(self, parameters: Iterable[nn.Parameter], tail: float, every: float, last: int) -> None:
        self._parameters = list(parameters)
        self._every, self._last = every, last
        self._due = 1.0 - tail
        self._count = 0
        self._sums: list[list[Tensor]] = []
        """With `last`: the snapshots; else one sum of all."""

    @torch.no_grad()
    def update(self, fraction: float) -> None:
        """Take the present weights if a snapshot is due at this fraction of the run."""
        if fraction < self._due - ROUNDING:
            return
        while self._due - ROUNDING <= fraction:
            self._due += self._every
        self._count += 1
        snapshot = [p.detach().clone() for p in self._parameters]
        if self._last == 0 and self._sums:
            torch._foreach_add_(self._sums[0], snapshot)
            return
        self._sums.append(snapshot)
        if self._last:
            del self._sums[: -self._last]

    @property
    def mean(self) -> list[Tensor] | None:
        """The mean of every parameter; None before the first snapshot."""
        if not self._sums:
            return None
        count = min(self._count, self._last) if self._last else self._count
        return [torch.stack(parts).sum(0) / count for parts in zip(*self._sums, strict=True)]

    def state_dict(self) -> dict[str, Tensor]:
        """Every sum or snapshot, how many there were and when the next one is due."""
        numbers = {"count": torch.tensor(self._count), "due": torch.tensor(self._due, dtype=torch.float64)}
        return numbers | {f"sum.{i}.{j}": tensor for i, tensors in enumerate(self._sums) for j, tensor in enumerate(tensors)}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        self._count, self._due = int(state["count"]), float(state["due"])
        held = len({name.split(".")[1] for name in state if name.startswith("sum.")})
        self._sums = [[state[f"sum.{i}.{j}"].clone() for j in range(len(self._parameters))] for i in range(held)]
