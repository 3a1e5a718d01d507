"""SmearGate: a position takes in some of the embedding of the token before it.

Invariant: the first position of a row, and with `isolate` of a document, takes in nothing.
"""

import torch
from torch import Tensor, nn

from pgolf_ref.model.context import shifted, visible
from pgolf_ref.registry import Group


class ChannelSmear(nn.Module):
    """x_t <- (1 - g) x_t + g x_{t-1}, one gate per channel, g = sigmoid(p), 1/2 at first. After the norm (version 1)."""

    GROUPS = {"gate": Group.SCALAR}

    def __init__(self, width: int, isolate: bool) -> None:
        super().__init__()
        self.isolate = isolate
        self.gate = nn.Parameter(torch.zeros(width))

    def forward(self, tokens: Tensor, x: Tensor) -> Tensor:
        """int64 (B, T), (B, T, width) -> (B, T, width); a missing token before counts as zero"""
        gate = self.gate.sigmoid().to(x.dtype)
        before = shifted(x, 1) * visible(tokens, 1, self.isolate).unsqueeze(-1)
        return (1 - gate) * x + gate * before


class TokenSmear(nn.Module):
    """x_t <- x_t + strength * sigmoid(w . x_t[:window]) x_{t-1}: nothing at first. Before the norm (version 2)."""

    GROUPS = {"strength": Group.SCALAR, "weight": Group.SCALAR}

    def __init__(self, window: int, isolate: bool) -> None:
        super().__init__()
        self.isolate = isolate
        self.strength = nn.Parameter(torch.zeros(()))
        self.weight = nn.Parameter(torch.zeros(window))

    def forward(self, tokens: Tensor, x: Tensor) -> Tensor:
        """int64 (B, T), (B, T, width) -> (B, T, width)"""
        gate = (x[..., : len(self.weight)] @ self.weight.to(x.dtype)).sigmoid() * self.strength.to(x.dtype)
        return x + (gate * visible(tokens, 1, self.isolate)).unsqueeze(-1) * shifted(x, 1)
