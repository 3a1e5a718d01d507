"""Two residual streams: from some block on, attention and MLP read and write lanes of their own.

split     lane 0 <- attention, lane 1 <- MLP, no cross-writes; the end is m lane0 + (1 - m) lane1           (PR 1477)
two_lane  attention of lane 0 goes to both lanes, then the MLP of the new lane 1 does; the end is the mean     (PR 1204)
improved  both halves read before either writes; the MLP reads lane 1 without the first residual            (PR 1529)

lane_j <- keep lane_j + write[half, j] * half's output. Skips enter lane 0.
"""

import torch
from torch import Tensor, nn

from pgolf_ref.config import ModelConfig
from pgolf_ref.model.block import Block
from pgolf_ref.model.flow import Flow
from pgolf_ref.registry import Group

KEEP = {"two_lane": 1.0, "improved": 1.1}  # initial weight of a lane in itself
HALF_ATTENTION, HALF_MLP = 0, 1


class Lanes(nn.Module):
    """write (L, 2, 2): block, half, lane; keep (L, 2): block, half; of all blocks, as the records store them."""

    GROUPS = {"write": Group.SCALAR, "keep": Group.SCALAR, "merge": Group.SCALAR}

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.form = config.block.parallel
        if self.form == "split":
            self.merge = nn.Parameter(torch.full((), 0.5))
        else:
            self.write = nn.Parameter(torch.ones(config.layers, 2, 2))
            self.keep = nn.Parameter(torch.full((config.layers, 2), KEEP[self.form]))

    def forward(self, block: Block, number: int, lanes: tuple[Tensor, Tensor], flow: Flow) -> tuple[Tensor, Tensor]:
        """(B, T, d) twice -> the same after block `number`"""
        first, second = lanes
        assert flow.x0 is not None, "blocks with lanes mix in the first residual"
        if self.form == "split":
            mixed = block.mixed(first, flow.x0)
            return block.attended(mixed, mixed, flow), block.fed(second, second, flow)
        nothing = torch.zeros_like(first)
        attention = block.attended(nothing, block.mixed(first, flow.x0), flow)
        if self.form == "two_lane":
            first, second = self._written(first, second, number, HALF_ATTENTION, attention)
            mlp = block.fed(nothing, block.mixed(second, flow.x0), flow)
            return self._written(first, second, number, HALF_MLP, mlp)
        mlp = block.fed(nothing, second, flow)
        write, keep = self.write[number].to(first.dtype), self.keep[number].to(first.dtype)
        return (
            keep[HALF_ATTENTION] * first + write[HALF_ATTENTION, 0] * attention + write[HALF_MLP, 0] * mlp,
            keep[HALF_MLP] * second + write[HALF_ATTENTION, 1] * attention + write[HALF_MLP, 1] * mlp,
        )

    def merged(self, first: Tensor, second: Tensor) -> Tensor:
        """The lanes of the last block -> one residual (B, T, d)"""
        if self.form == "split":
            return torch.lerp(second, first, self.merge.to(first.dtype))
        return 0.5 * (first + second)

    def _written(self, first: Tensor, second: Tensor, number: int, half: int, output: Tensor) -> tuple[Tensor, Tensor]:
        write, keep = self.write[number, half].to(first.dtype), self.keep[number, half].to(first.dtype)
        return keep * first + write[0] * output, keep * second + write[1] * output
