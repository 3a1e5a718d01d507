"""What goes into the matrices of a model during forward passes: the Hessians of GPTQ and the mean magnitudes of AWQ.

Every product of a module with a matrix of its own is watched (model/product.py), so a matrix that is applied several times is counted
each time.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from pgolf_ref.distributed import World
from pgolf_ref.model.product import Multiplies

Sums = tuple[Tensor, Tensor, Tensor]


@dataclass(frozen=True, slots=True)
class InputStatistics:
    """Of the inputs x of one matrix: mean of x x^T (columns, columns) and of |x| (columns,), float32.

    Where earlier matrices were rounded: of the inputs x~ that this leaves, and the mean of x~ x^T.
    """

    hessian: Tensor
    magnitude: Tensor
    cross: Tensor | None = None

    @property
    def correlation(self) -> Tensor:
        """Mean of x~ x^T: where nothing was rounded before, x~ is x."""
        return self.hessian if self.cross is None else self.cross


class Collector:
    """Sums over the inputs of forward passes of a model, for the parameters of these names."""

    def __init__(self, model: nn.Module, names: Collection[str]) -> None:
        self._names = {id(parameter): name for name, parameter in model.named_parameters() if name in names}
        self._sums: dict[str, Sums] = {}
        self._last: tuple[Tensor, Sums] | None = None
        self._model, self._weight = model, 1.0

    def count(self, tokens: Tensor, weight: float = 1.0) -> None:
        """Add the inputs of a forward pass, without gradients, each times `weight`."""
        self._weight = weight
        watched = [module for module in self._model.modules() if isinstance(module, Multiplies)]
        try:
            for module in watched:
                module.watch = self._count
            with torch.no_grad():
                self._model(tokens)
        finally:
            for module in watched:
                module.watch = None
        self._last = None

    def statistics(self, world: World) -> dict[str, InputStatistics]:
        """Over the inputs of all ranks; every rank has to ask."""
        return means(self._sums, world)

    def _count(self, x: Tensor, weight: Tensor) -> None:
        name = self._names.get(id(weight))
        if name is not None:
            self._seen(name, x)

    def _seen(self, name: str, x: Tensor) -> None:
        self._sums[name] = joined(self._sums.get(name), self._added(x))

    def _added(self, x: Tensor) -> Sums:
        """Sums over the rows of x; queries, keys and values share theirs."""
        if self._last is None or self._last[0] is not x:
            rows = x.detach().reshape(-1, x.size(-1)).to(torch.float32)
            self._last = x, sums(rows, self._weight)
        return self._last[1]


class Recorder(Collector):
    """The inputs themselves, in the order of the products."""

    def recorded(self, tokens: Tensor) -> list[tuple[str, Tensor]]:
        """Names and inputs (rows, columns) of one forward pass, float32."""
        self._inputs: list[tuple[str, Tensor]] = []
        self.count(tokens)
        return self._inputs

    def _seen(self, name: str, x: Tensor) -> None:
        self._inputs.append((name, x.detach().reshape(-1, x.size(-1)).to(torch.float32)))


class PairedCollector:
    """Sums over the inputs of a model and of one whose matrices are rounded, for the same tokens."""

    def __init__(self, model: nn.Module, rounded: nn.Module, names: Collection[str]) -> None:
        self._whole, self._rounded = Recorder(model, names), Recorder(rounded, names)
        self._sums: dict[str, Sums] = {}
        self._crosses: dict[str, Tensor] = {}

    def count(self, tokens: Tensor, weight: float = 1.0) -> None:
        """Add the inputs of a forward pass of both, each times `weight`."""
        pairs = zip(self._whole.recorded(tokens), self._rounded.recorded(tokens), strict=True)
        for (name, whole), (_, rounded) in pairs:
            added, cross = sums(rounded, weight), rounded.mT @ whole * weight
            self._sums[name] = joined(self._sums.get(name), added)
            self._crosses[name] = cross + self._crosses[name] if name in self._crosses else cross

    def statistics(self, world: World) -> dict[str, InputStatistics]:
        """Over the inputs of all ranks; every rank has to ask."""
        return {
            name: replace(found, cross=world.sum(self._crosses[name]) / world.sum(self._sums[name][2]))
            for name, found in means(self._sums, world).items()
        }


def sums(rows: Tensor, weight: float) -> Sums:
    """Of x x^T, |x| and 1 over rows (rows, columns), times `weight`."""
    count = torch.tensor(float(len(rows)), device=rows.device)
    return rows.mT @ rows * weight, rows.abs().sum(dim=0) * weight, count * weight


def joined(known: Sums | None, added: Sums) -> Sums:
    if known is None:
        return added
    return known[0] + added[0], known[1] + added[1], known[2] + added[2]


def means(totals: Mapping[str, Sums], world: World) -> dict[str, InputStatistics]:
    """Of the sums over all ranks, in the order in which a forward pass comes to the matrices."""
    found = {}
    for name, sums_of_rank in totals.items():
        gram, magnitude, count = (world.sum(total) for total in sums_of_rank)
        found[name] = InputStatistics(gram / count, magnitude / count)
    return found
