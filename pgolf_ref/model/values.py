"""What blocks add to their own values: those of earlier blocks, of the first residual, or an embedding of the token.

pair     a v_first + b v                (ResFormer; the first block too, so that its weights learn)
sigmoid  v + sigmoid(a) v_first
cascade  (1 - a) v + a v_previous
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pgolf_ref.config import ModelConfig
from pgolf_ref.model.flow import Values
from pgolf_ref.model.matrices import orthogonal
from pgolf_ref.model.product import Multiplies
from pgolf_ref.registry import Group


class ValueResidual(nn.Module):
    """One of the three forms; all but `pair` leave the first block alone, which must not have it."""

    GROUPS = {"mix": Group.SCALAR}

    def __init__(self, form: str, initial: float) -> None:
        super().__init__()
        self.form = form
        start = {"pair": [initial, initial], "sigmoid": [0.0], "cascade": [initial]}[form]
        self.mix = nn.Parameter(torch.tensor(start))

    def forward(self, v: Tensor, values: Values) -> Tensor:
        """v (B, T, kv_dim), those of earlier blocks -> (B, T, kv_dim)"""
        mix = self.mix.to(v.dtype)
        first, previous = (v if seen is None else seen for seen in (values.first, values.latest))
        if self.form == "pair":
            return mix[0] * first + mix[1] * v
        if self.form == "sigmoid":
            return v + mix[0].sigmoid() * first
        return (1 - mix[0]) * v + mix[0] * previous


class ValueEmbedding(Multiplies):
    """One table for all blocks that have one, a scale for each; (V, dim) normal, projection (kv_dim, dim) orthogonal."""

    GROUPS = {"table": Group.EMBEDDING, "projection": Group.MATRIX, "scale": Group.SCALAR, "layer_scales": Group.SCALAR}

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        c = config.attention
        self.layers = c.value_embedding_layers
        self.table = nn.Parameter(torch.empty(config.vocab_size, c.value_embedding_dim).normal_(std=0.01))
        self.projection = nn.Parameter(orthogonal(config.kv_heads * config.head_dim, c.value_embedding_dim))
        self.scale = nn.Parameter(torch.full((), 0.1))
        self.layer_scales = nn.Parameter(torch.ones(len(self.layers)))

    def forward(self, tokens: Tensor, dtype: torch.dtype) -> dict[int, Tensor]:
        """int64 (B, T) -> by block, (B, T, kv_dim)"""
        looked_up = F.embedding(tokens, self.table).to(dtype)
        shared = self.product(looked_up, self.projection) * self.scale.to(dtype)
        scales = self.layer_scales.to(dtype)
        return {layer: shared * scales[i] for i, layer in enumerate(self.layers)}
