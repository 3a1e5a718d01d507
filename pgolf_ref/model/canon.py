"""Canon layers: x_t + sum over j = 0..3 of w_j x_{t-j}, a causal convolution per channel (Allen-Zhu 2025). Zero at first.

Invariant: positions of other documents count as zero.
"""

import torch
from torch import Tensor, nn

from pgolf_ref.model.context import shifted
from pgolf_ref.registry import Group

TAPS = 4


class Canon(nn.Module):
    """One weight per tap and channel."""

    GROUPS = {"taps": Group.SCALAR}

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.taps = nn.Parameter(torch.zeros(TAPS, dim))

    def forward(self, x: Tensor, segments: Tensor | None) -> Tensor:
        """(B, T, d), numbers of documents (B, T) -> (B, T, d)"""
        y = x
        for distance, tap in enumerate(self.taps.to(x.dtype)):
            earlier = shifted(x, distance)
            if segments is not None:
                earlier = earlier * (segments == shifted(segments, distance, fill=-1)).unsqueeze(-1)
            y = torch.addcmul(y, earlier, tap)
        return y
