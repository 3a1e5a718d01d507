"""Blocks that do not learn yet: whatever the optimizers do, the tensors of a frozen block stay what they were.

Invariants: freezing a block freezes all its tensors, those in banks included; its gradients count for nothing, the clipped norm included.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from pgolf_ref.registry import registry


def frozen_blocks(fraction: float, unfreeze: float, layers: int) -> range:
    """Blocks that are still frozen: they join in one by one, the last at the start and the first at `unfreeze` of the run."""
    if fraction >= unfreeze:
        return range(0)
    return range(sum((layers - 1 - block) * unfreeze > fraction * (layers - 1) for block in range(layers)))


class Freezer:
    """The parameters of every block of a model, to be held."""

    def __init__(self, model: nn.Module) -> None:
        self._by_block: dict[int, list[nn.Parameter]] = {}
        entries = registry(model)
        for name, parameter in model.named_parameters():
            layer = entries[name].layer
            if layer is not None:
                self._by_block.setdefault(layer, []).append(parameter)

    @contextmanager
    def held(self, blocks: range) -> Iterator[None]:
        """Whatever is done or raised inside, these blocks are as before afterwards, and have no gradient in it."""
        held = [parameter for block in blocks for parameter in self._by_block.get(block, [])]
        with torch.no_grad():
            before = [parameter.detach().clone() for parameter in held]
            for parameter in held:
                if parameter.grad is not None:
                    parameter.grad.zero_()
            try:
                yield
            finally:
                for parameter, value in zip(held, before, strict=True):
                    parameter.copy_(value)
