"""A transformer block: mix in the first residual, then attention and feed-forward, each normalised before and scaled after.

The two halves are methods, because blocks with two residual streams (lanes.py) join them in other ways.
"""

import math

import torch
from torch import Tensor, nn

from pgolf_ref.config import ModelConfig
from pgolf_ref.model.attention import Attention
from pgolf_ref.model.canon import Canon
from pgolf_ref.model.flow import Flow
from pgolf_ref.model.mlp import MLP
from pgolf_ref.model.norm import rms_norm
from pgolf_ref.registry import Group

TOKEN_GATE_BIAS = 2.0


class Block(nn.Module):
    """x <- m0 x + m1 x0; x <- x + a attention(norm(x)); x <- x + b mlp(norm(x)), with one weight per channel."""

    GROUPS = dict.fromkeys(("resid_mix", "attention_scale", "mlp_scale", "token_gate", "token_gate_bias"), Group.SCALAR)

    def __init__(self, config: ModelConfig, layer: int, repeats: int = 0) -> None:
        """Block number `layer`, which a loop runs `repeats` more times."""
        super().__init__()
        b, dim, hidden = config.block, config.dim, hidden_channels(config, layer)
        self.side_by_side = b.parallel == "gptj" and layer >= b.parallel_from
        self.input_scale = 1 / math.sqrt(layer + 1) if b.layer_scale else 1.0
        self.resid_mix = nn.Parameter(torch.stack((torch.ones(dim), torch.zeros(dim)))) if b.residual_mix else None
        self.attention: Attention | None = None
        if layer not in b.drop_attention:
            self.attention = Attention(config, layer)
            self.attention_scale = nn.Parameter(torch.ones(dim))
        self.mlp: MLP | None = None
        if hidden:
            self.mlp = MLP(config, hidden)
            self.mlp_scale = nn.Parameter(torch.ones(dim))
        untied = repeats if config.recurrence.untied_mlp and hidden else 0
        self.repeat_mlps = nn.ModuleList(MLP(config, hidden) for _ in range(untied))
        self.canon_attention = Canon(dim) if b.canon in ("attention", "both") and self.attention is not None else None
        self.canon_mlp = Canon(dim) if b.canon in ("mlp", "both") and hidden else None
        self.token_gate = nn.Parameter(torch.zeros(dim)) if b.token_gate else None
        if b.token_gate:
            self.token_gate_bias = nn.Parameter(torch.full((), TOKEN_GATE_BIAS))

    def forward(self, x: Tensor, x0: Tensor, flow: Flow | None = None) -> Tensor:
        """x, x0: (B, T, d); x0 is the normalised embedding that the first block saw."""
        flow = flow or Flow(x0=x0)
        start = self.mixed(x, x0)
        x = self.attended(start, start, flow)
        x = self.fed(x, start if self.side_by_side else x, flow)
        if self.token_gate is None:
            return x
        return torch.lerp(start, x, self._token_share(start))

    def mixed(self, x: Tensor, x0: Tensor) -> Tensor:
        """m0 x + m1 x0"""
        if self.resid_mix is None:
            return x
        keep, again = self.resid_mix.to(x.dtype)
        return torch.addcmul(keep * x, again, x0)

    def attended(self, x: Tensor, source: Tensor, flow: Flow) -> Tensor:
        """x + a attention(norm(source))"""
        if self.attention is None:
            return x
        given = self._normalised(source)
        if self.canon_attention is not None:
            given = self.canon_attention(given, flow.segments)
        return torch.addcmul(x, self.attention_scale.to(x.dtype), self.attention(given, flow))

    def fed(self, x: Tensor, source: Tensor, flow: Flow) -> Tensor:
        """x + b mlp(norm(source))"""
        if self.mlp is None:
            return x
        given = self._normalised(source)
        if self.canon_mlp is not None:
            given = self.canon_mlp(given, flow.segments)
        mlp = self.repeat_mlps[flow.repeat - 1] if flow.repeat and len(self.repeat_mlps) else self.mlp
        return torch.addcmul(x, self.mlp_scale.to(x.dtype), mlp(given, flow))

    @torch.no_grad()
    def copy_mlp(self, repeat: int) -> None:
        """Start the MLP of an extra pass (1 is the first) from that of the block."""
        if self.mlp is not None and repeat <= len(self.repeat_mlps):
            self.repeat_mlps[repeat - 1].load_state_dict(self.mlp.state_dict())

    def _normalised(self, x: Tensor) -> Tensor:
        y = rms_norm(x)
        return y if self.input_scale == 1.0 else y * self.input_scale

    def _token_share(self, x: Tensor) -> Tensor:
        """(B, T, 1): sigmoid(w x + b), which gives no gradient to x"""
        assert self.token_gate is not None
        logits = x.detach() @ self.token_gate.to(x.dtype) + self.token_gate_bias.to(x.dtype)
        return logits.sigmoid().unsqueeze(-1)


def hidden_channels(config: ModelConfig, layer: int) -> int:
    """Of the MLP of a block; 0 = it has none."""
    if layer in config.block.drop_mlp:
        return 0
    return config.block.mlp_widths[layer] if config.block.mlp_widths else config.mlp_mult * config.dim


def weights_at_least(config: ModelConfig) -> int:
    """Weights of the blocks and of value embeddings, at least.

    Without going through the blocks: a description may claim any number of them.
    """
    a, b, dim = config.attention, config.block, config.dim
    if b.mlp_widths:
        hidden = sum(width for layer, width in enumerate(b.mlp_widths) if layer not in b.drop_mlp)
    else:
        hidden = (config.layers - len(b.drop_mlp)) * config.mlp_mult * dim
    attending = config.layers - len(b.drop_attention)
    tables = config.vocab_size * a.value_embedding_dim if a.value_embedding_layers else 0
    return (hidden + 2 * attending * dim) * dim + tables
