"""Causal self-attention with grouped queries, QK normalisation, rotary positions and one gain per query head.

Invariant: the output at a position depends on inputs at that position and before.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pgolf_ref.config import ModelConfig
from pgolf_ref.model.causal import causal_attention
from pgolf_ref.model.norm import rms_norm
from pgolf_ref.model.rotary import rotary_tables, rotate
from pgolf_ref.registry import Group


def uniform_matrix(rows: int, columns: int) -> nn.Parameter:
    """(rows, columns), uniform in +-1/sqrt(columns): the default of a linear layer."""
    bound = 1 / math.sqrt(columns)
    return nn.Parameter(torch.empty(rows, columns).uniform_(-bound, bound))


class Attention(nn.Module):
    """H query heads share H_kv key-value heads; scores are gain_h * sqrt(D) * cos(angle of query and key)."""

    GROUPS = dict.fromkeys(("query", "key", "value", "out"), Group.MATRIX) | {"gain": Group.SCALAR}

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        kv_dim = config.kv_heads * config.head_dim
        self.query = uniform_matrix(config.dim, config.dim)
        self.key = uniform_matrix(kv_dim, config.dim)
        self.value = uniform_matrix(kv_dim, config.dim)
        self.out = nn.Parameter(torch.zeros(config.dim, config.dim))
        self.gain = nn.Parameter(torch.full((config.heads,), config.attention.q_gain))

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, d) -> (B, T, d)"""
        c = self.config
        batch, length, _ = x.shape
        cos, sin = rotary_tables(length, c.head_dim, c.attention.rope_base, x.device, x.dtype)
        q = F.linear(x, self.query.to(x.dtype)).view(batch, length, c.heads, c.head_dim)
        k = F.linear(x, self.key.to(x.dtype)).view(batch, length, c.kv_heads, c.head_dim)
        v = F.linear(x, self.value.to(x.dtype)).view(batch, length, c.kv_heads, c.head_dim)
        q = rotate(rms_norm(q, self.gain.unsqueeze(1)), cos, sin)
        k = rotate(rms_norm(k), cos, sin)
        return F.linear(causal_attention(q, k, v), self.out.to(x.dtype))
