"""Exclusive self-attention: the output of a head without its component along the position's own value.

y <- y - a (y . v^) v^ with v^ = v / |v|, where v is the value of the position in the head's group. Invariants: with a = 1 the
result is orthogonal to v, and zero where a position sees itself alone.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pgolf_ref.registry import Group

EPS = 1e-12


class Exclusion(nn.Module):
    """a is 1 (full), sigmoid of a learned number (scaled), or the cosine of y and v without its sign (cosine)."""

    GROUPS = {"share": Group.SCALAR}

    def __init__(self, form: str) -> None:
        super().__init__()
        self.form = form
        self.share = nn.Parameter(torch.full((), 2.0)) if form == "scaled" else None

    def forward(self, y: Tensor, v: Tensor) -> Tensor:
        """y (B, T, H, D), v (B, T, H_kv, D) -> (B, T, H, D)"""
        grouped = y.unflatten(2, (v.size(2), -1))
        own = F.normalize(v, dim=-1, eps=EPS).unsqueeze(3)
        along = (grouped * own).sum(dim=-1, keepdim=True)
        if self.share is not None:
            along = along * self.share.sigmoid().to(y.dtype)
        elif self.form == "cosine":
            along = along * (along / grouped.norm(dim=-1, keepdim=True).clamp(min=EPS)).abs()
        return (grouped - along * own).flatten(2, 3)
