"""Products of inputs with matrices, which can be watched: so the export learns what goes into a matrix.

A matrix is cast to the type of its input where it is used. Invariant: watching changes no result.
"""

from collections.abc import Callable

from torch import Tensor, nn
from torch.nn import functional as F

Watch = Callable[[Tensor, Tensor], None]  # input (..., columns), matrix (rows, columns) as the module has it


class Multiplies(nn.Module):
    """A module that multiplies by matrices of its own."""

    watch: Watch | None = None

    def product(self, x: Tensor, matrix: Tensor) -> Tensor:
        """x (..., columns), (rows, columns) -> (..., rows) in the type of x"""
        if self.watch is not None:
            self.watch(x, matrix)
        return F.linear(x, matrix.to(x.dtype))
