"""Gates: a factor per head and position for the output of attention, before the output matrix.

bias    sigmoid(x W^T + b), W zero, b 4           (0.982 at first)
dense   sigmoid(x W^T), W normal                  (0.5 at first)
output  2 sigmoid(window W^T), W zero             (1 at first)
sparse  sigmoid(scale * window W^T), W zero       (0.5 at first)

x is the normalised input of the block, a window its first channels.
"""

import torch
from torch import Tensor, nn

from pgolf_ref.config import ModelConfig
from pgolf_ref.model.product import Multiplies
from pgolf_ref.registry import Group, Role


class HeadGate(Multiplies):
    """One of the four forms."""

    GROUPS = {"weight": Group.SCALAR, "bias": Group.SCALAR}
    ROLES = {"weight": Role.GATE}

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = c = config.attention
        width = config.dim if c.gate in ("bias", "dense") else c.gate_window
        self.weight = nn.Parameter(torch.zeros(config.heads, width))
        if c.gate == "dense":
            nn.init.normal_(self.weight, std=c.gate_std)
        self.bias = nn.Parameter(torch.full((config.heads,), 4.0)) if c.gate == "bias" else None

    def forward(self, x: Tensor, queries: Tensor) -> Tensor:
        """Block input (B, T, d), raw queries (B, T, d) -> (B, T, H, 1)"""
        c = self.config
        source = queries if c.gate == "output" and c.gate_source == "query" else x
        logits = self.product(source[..., : self.weight.size(1)], self.weight)
        if self.bias is not None:
            logits = logits + self.bias.to(x.dtype)
        if c.gate == "sparse":
            logits = logits * c.gate_scale
        gate = logits.sigmoid().unsqueeze(-1)
        return 2 * gate if c.gate == "output" else gate
