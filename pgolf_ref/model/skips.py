"""U-Net skips: the output of an early step, weighted per channel, comes back before a late one.

x + w skip, or with gates lerp(w skip, x, sigmoid(g)), g zero; the skip or the sum may be RMS-normalised.
"""

import torch
from torch import Tensor, nn

from pgolf_ref.config import ModelConfig
from pgolf_ref.model.norm import rms_norm
from pgolf_ref.registry import Group


class Skips(nn.Module):
    """One weight (and gate) per skip and channel, for the plan with the most skips."""

    GROUPS = {"weight": Group.SCALAR, "gate": Group.SCALAR}

    def __init__(self, config: ModelConfig, count: int) -> None:
        super().__init__()
        self.norm = config.block.skip_norm
        self.weight = nn.Parameter(torch.ones(count, config.dim))
        self.gate = nn.Parameter(torch.zeros(count, config.dim)) if config.block.skip_gates else None

    def forward(self, x: Tensor, skip: Tensor, number: int) -> Tensor:
        """(B, T, d) twice, which skip it is -> (B, T, d)"""
        if self.norm == "before":
            skip = rms_norm(skip)
        weight = self.weight[number].to(x.dtype)
        if self.gate is None:
            x = torch.addcmul(x, weight, skip)
        else:
            x = torch.lerp(weight * skip, x, self.gate[number].sigmoid().to(x.dtype))
        return rms_norm(x) if self.norm == "after" else x
