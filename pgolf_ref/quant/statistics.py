"""What goes into the matrices of a model during forward passes: the Hessians of GPTQ and the mean magnitudes of AWQ.

A function mode sees every product with a parameter, wherever a module computes it, also one that was cast to the activation type
before; so no module needs a hook of its own, and a matrix that is applied several times is counted each time.
"""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from pgolf_ref.distributed import World


@dataclass(frozen=True, slots=True)
class InputStatistics:
    """Of the inputs x of one matrix: mean of x x^T (columns, columns) and of |x| (columns,), float32."""

    hessian: Tensor
    magnitude: Tensor


class Collector(TorchFunctionMode):
    """Sums over all inputs seen while it is active, each pass times `weight`. Parameters are told by name."""

    def __init__(self, model: nn.Module, names: Collection[str]) -> None:
        super().__init__()
        self._names = {id(parameter): name for name, parameter in model.named_parameters() if name in names}
        self._casts: dict[int, tuple[Tensor, str]] = {}
        self._sums: dict[str, tuple[Tensor, Tensor, Tensor]] = {}
        self._last: tuple[Tensor, tuple[Tensor, Tensor, Tensor]] | None = None
        self.weight = 1.0

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if func is Tensor.to and result is not args[0] and id(args[0]) in self._names:
            self._casts[id(result)] = result, self._names[id(args[0])]
        elif func is F.linear:
            self._count(args[0], args[1])
        return result

    def statistics(self, world: World) -> dict[str, InputStatistics]:
        """Over the inputs of all ranks; every rank has to ask."""
        found = {}
        for name in sorted(self._sums):
            gram, magnitude, count = (world.sum(total) for total in self._sums[name])
            found[name] = InputStatistics(gram / count, magnitude / count)
        return found

    def forget_casts(self) -> None:
        """After a forward pass."""
        self._casts.clear()
        self._last = None

    def _count(self, x: Tensor, weight: Tensor) -> None:
        name = self._names.get(id(weight)) or self._casts.get(id(weight), (None, None))[1]
        if name is None:
            return
        added = self._added(x)
        known = self._sums.get(name)
        self._sums[name] = added if known is None else tuple(a + b for a, b in zip(known, added, strict=True))  # type: ignore[assignment]

    def _added(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Sums over the rows of x; queries, keys and values share theirs."""
        if self._last is not None and self._last[0] is x:
            return self._last[1]
        rows = x.detach().reshape(-1, x.size(-1)).to(torch.float32)
        raw = rows.mT @ rows, rows.abs().sum(dim=0), torch.tensor(float(len(rows)), device=x.device)
        sums = raw[0] * self.weight, raw[1] * self.weight, raw[2] * self.weight
        self._last = x, sums
        return sums


@contextmanager
def collecting(model: nn.Module, names: Collection[str]) -> Iterator[Collector]:
    """Forward passes inside are counted, without gradients."""
    collector = Collector(model, names)
    with torch.no_grad(), collector:
        yield collector
