"""The whole model: tokens in, softcapped logits or mean loss out.

* tied embedding, RMS norm without weight, U-Net skips by `plan.py`, softcap * tanh(u / softcap) on the logits
* parameters stay in float32 (or float64); matrices are cast to the activation dtype where they are used
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pgolf_ref.config import ModelConfig
from pgolf_ref.model.block import Block
from pgolf_ref.model.loss import softcapped, softcapped_cross_entropy
from pgolf_ref.model.norm import rms_norm
from pgolf_ref.model.plan import layer_plan, skip_count
from pgolf_ref.registry import Group


class GPT(nn.Module):
    """B sequences of T tokens, d channels, V vocabulary entries."""

    GROUPS = {"embedding": Group.EMBEDDING, "head": Group.HEAD, "skip_weights": Group.SCALAR}

    def __init__(self, config: ModelConfig, dtype: torch.dtype | None = None) -> None:
        """`dtype` of activations; None is that of the parameters."""
        super().__init__()
        self.config = config
        self.dtype = dtype
        self.plan = layer_plan(config.layers)
        self.embedding = nn.Parameter(torch.empty(config.vocab_size, config.dim).normal_(std=config.embedding_std))
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.skip_weights = nn.Parameter(torch.ones(skip_count(config.layers), config.dim))
        if not config.tied:
            self.head = nn.Parameter(torch.zeros(config.vocab_size, config.dim))

    def hidden(self, tokens: Tensor) -> Tensor:
        """int64 (B, T) -> normalised last residual (B, T, d)"""
        x0 = rms_norm(F.embedding(tokens, self.embedding).to(self.dtype or self.embedding.dtype))
        x = x0
        outputs: list[Tensor] = []
        for step in self.plan:
            if step.skip is not None and step.source is not None:
                x = torch.addcmul(x, self.skip_weights[step.skip].to(x.dtype), outputs[step.source])
            x = self.blocks[step.block](x, x0)
            outputs.append(x)
        return rms_norm(x)

    def _unembedding(self) -> Tensor:
        return self.embedding if self.config.tied else self.head

    def forward(self, tokens: Tensor) -> Tensor:
        """int64 (B, T) -> logits (B, T, V), float32 or better, within +-softcap"""
        x = self.hidden(tokens)
        return softcapped(F.linear(x, self._unembedding().to(x.dtype)), self.config.softcap)

    def loss(self, tokens: Tensor, targets: Tensor) -> Tensor:
        """int64 (B, T) twice -> mean negative log-likelihood of the targets in nats"""
        x = self.hidden(tokens).flatten(0, 1)
        return softcapped_cross_entropy(x, self._unembedding().to(x.dtype), targets.flatten(), self.config.softcap)
