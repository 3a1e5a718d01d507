"""Blocks whose matrices are ternary in the forward pass and real numbers for the optimizer (Ma et al. 2024, BitNet b1.58).

Invariant: the modules of a block do not know of it; they read a matrix and get codes * scale, whose gradient is that of the
weights behind it.
"""

from torch import Tensor, nn
from torch.nn.utils import parametrize

from pgolf_ref.quant.ternary import straight_through
from pgolf_ref.registry import Group


class Ternary(nn.Module):
    """What a matrix is read through."""

    def __init__(self, group: int) -> None:
        super().__init__()
        self.group = group

    def forward(self, weight: Tensor) -> Tensor:
        """(rows, columns) -> the same shape, ternary in groups of columns"""
        return straight_through(weight, self.group)


def make_ternary(blocks: nn.Module, group: int) -> None:
    """Read every matrix of the blocks through `Ternary`."""
    for module in list(blocks.modules()):
        groups: dict[str, Group] = getattr(type(module), "GROUPS", {})
        for name in [name for name, _ in module.named_parameters(recurse=False) if groups[name] is Group.MATRIX]:
            parametrize.register_parametrization(module, name, Ternary(group), unsafe=True)
