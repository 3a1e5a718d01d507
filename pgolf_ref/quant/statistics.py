"""What goes into the matrices of a model during forward passes: the Hessians of GPTQ and the mean magnitudes of AWQ.

A function mode sees every product with a parameter, wherever a module computes it, also one that was cast to the activation type
before; so no module needs a hook of its own, and a matrix that is applied several times is counted each time.
"""

from collections.abc import Collection
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
    """Sums over the inputs of forward passes of a model, for the parameters of these names."""

    def __init__(self, model: nn.Module, names: Collection[str]) -> None:
        super().__init__()
        self._names = {id(parameter): name for name, parameter in model.named_parameters() if name in names}
        self._casts: dict[int, tuple[Tensor, str]] = {}
        self._sums: dict[str, tuple[Tensor, Tensor, Tensor]] = {}
        self._last: tuple[Tensor, tuple[Tensor, Tensor, Tensor]] | None = None
        self._model, self._weight = model, 1.0

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if func is Tensor.to and result is not args[0] and id(args[0]) in self._names:
            self._casts[id(result)] = result, self._names[id(args[0])]
        elif func is F.linear:
            self._count(args[0], args[1])
        return result

    def count(self, tokens: Tensor, weight: float = 1.0) -> None:
        """Add the inputs of a forward pass, without gradients, each times `weight`."""
        self._weight = weight
        with torch.no_grad(), self:
            self._model(tokens)
        self._casts.clear()
        self._last = None

    def statistics(self, world: World) -> dict[str, InputStatistics]:
        """Over the inputs of all ranks; every rank has to ask."""
        found = {}
        for name in sorted(self._sums):
            gram, magnitude, count = (world.sum(total) for total in self._sums[name])
            found[name] = InputStatistics(gram / count, magnitude / count)
        return found

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
        sums = raw[0] * self._weight, raw[1] * self._weight, raw[2] * self._weight
        self._last = x, sums
        return sums
