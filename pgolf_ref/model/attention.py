"""Causal self-attention with grouped queries, QK normalisation, rotary positions and one gain per query head.

Around it, each a module of its own and absent when off: values from elsewhere (values.py), exclusive attention (exclusive.py), gates
(gates.py), documents (documents.py). Invariant: the output at a position depends on inputs at that position and before and, with
documents, on those of its own alone.
"""

import torch
from torch import Tensor, nn

from pgolf_ref.config import ModelConfig
from pgolf_ref.model.exclusive import Exclusion
from pgolf_ref.model.flow import Flow
from pgolf_ref.model.gates import HeadGate
from pgolf_ref.model.kernels import attend
from pgolf_ref.model.matrices import matrix
from pgolf_ref.model.norm import rms_norm
from pgolf_ref.model.past import Past
from pgolf_ref.model.product import Multiplies
from pgolf_ref.model.rotary import raised_base, rotary_tables, rotate_first
from pgolf_ref.model.values import ValueResidual
from pgolf_ref.registry import Group


class Attention(Multiplies):
    """H query heads share H_kv key-value heads; scores are gain_h * sqrt(D) * cos(angle of query and key)."""

    GROUPS = dict.fromkeys(("query", "key", "value", "out"), Group.MATRIX) | dict.fromkeys(("gain", "x0_scale"), Group.SCALAR)

    def __init__(self, config: ModelConfig, layer: int = 0) -> None:
        super().__init__()
        self.config = config
        self.layer = layer
        a, kv_dim = config.attention, config.kv_heads * config.head_dim
        self.query = matrix(config, config.dim, config.dim)
        self.key = matrix(config, kv_dim, config.dim)
        self.value = matrix(config, kv_dim, config.dim)
        self.out = nn.Parameter(torch.zeros(config.dim, config.dim))
        self.gain = nn.Parameter(torch.linspace(a.q_gain, a.q_gain_last or a.q_gain, config.heads))
        self.x0_scale = nn.Parameter(torch.full((), a.x0_value)) if a.x0_value else None
        mixes = a.value_residual != "none" and (layer > 0 or a.value_residual == "pair")
        self.residual = ValueResidual(a.value_residual, a.value_residual_init) if mixes else None
        self.exclusion = Exclusion(a.xsa_form) if layer >= config.layers - a.xsa_last else None
        self.gate = HeadGate(config) if a.gate != "none" else None

    def forward(self, x: Tensor, flow: Flow | None = None) -> Tensor:
        """Normalised input (B, T, d) -> (B, T, d)"""
        flow = flow or Flow()
        c, heads = self.config, x.shape[:2]
        queries = flow.adapt("query", x, self.product(x, self.query))
        keys = flow.adapt("key", x, self.product(x, self.key))
        v = self._values(x, flow).view(*heads, c.kv_heads, c.head_dim)
        q, k = self._normalised(queries.view(*heads, c.heads, -1), keys.view(*heads, c.kv_heads, -1))
        if self.layer not in c.attention.nope_layers:
            cos, sin = self._tables(x, flow.past)
            q, k = rotate_first(q, cos, sin), rotate_first(k, cos, sin)
        y = attend(q, k, v, flow.segments, flow.backend) if flow.past is None else flow.past.attend(q, k, v, flow.segments)
        if self.exclusion is not None:
            y = self.exclusion(y.view(*heads, c.heads, -1), v).flatten(2)
        if self.gate is not None:
            y = (y.view(*heads, c.heads, -1) * self.gate(x, queries)).flatten(2)
        return flow.adapt("attention", x, self.product(y, self.out))

    def _values(self, x: Tensor, flow: Flow) -> Tensor:
        """(B, T, kv_dim): the block's own values and what is added to them."""
        values = flow.values
        v = flow.adapt("value", x, self.product(x, self.value))
        if self.x0_scale is not None and flow.x0 is not None:
            v = v + self.x0_scale.to(x.dtype) * self.product(flow.x0, self.value)
        own = v
        if self.residual is not None:
            v = self.residual(v, values)
        if flow.value_embedding is not None:
            v = v + flow.value_embedding
        values.first, values.latest = own if values.first is None else values.first, v
        return v

    def _normalised(self, q: Tensor, k: Tensor) -> tuple[Tensor, Tensor]:
        """Queries with their gains, and keys; the gain commutes with the rotation that follows."""
        gain = self.gain.unsqueeze(1)
        if self.config.attention.qk_norm:
            return rms_norm(q, gain), rms_norm(k)
        return q * gain.to(q.dtype), k

    def _tables(self, x: Tensor, past: Past | None = None) -> tuple[Tensor, Tensor]:
        a = self.config.attention
        dims = a.rope_dims or self.config.head_dim
        base = a.rope_bases[self.layer % len(a.rope_bases)] if a.rope_bases else a.rope_base
        length, seen = (x.size(1), 0) if past is None else (past.length, past.seen)
        base = raised_base(base, dims, length, a.rope_length)
        cos, sin = rotary_tables(length, dims, base, x.device, x.dtype, a.yarn_scale)
        return cos[seen : seen + x.size(1)], sin[seen : seen + x.size(1)]
