"""The whole model: tokens in, softcapped logits or mean loss out.

* tokens become vectors in `embedder.py` and vectors logits in `head.py`; a tied model shares the embedder's table
* RMS norm without weight, U-Net skips by `plan.py`
* parameters stay in float32 (or float64); matrices are cast to the activation dtype where they are used
"""

import torch
from torch import Tensor, nn

from pgolf_ref.config import ModelConfig
from pgolf_ref.data.vocabulary import Vocabulary
from pgolf_ref.model.block import Block
from pgolf_ref.model.embedder import Embedder
from pgolf_ref.model.head import Head
from pgolf_ref.model.norm import rms_norm
from pgolf_ref.model.plan import layer_plan, skip_count
from pgolf_ref.model.ternary import make_ternary
from pgolf_ref.registry import Group


class GPT(nn.Module):
    """B sequences of T tokens, d channels, V vocabulary entries."""

    GROUPS = {"skip_weights": Group.SCALAR}

    def __init__(self, config: ModelConfig, dtype: torch.dtype | None = None) -> None:
        """`dtype` of activations; None is that of the parameters."""
        super().__init__()
        self.config = config
        self.dtype = dtype
        self.plan = layer_plan(config.layers)
        self.embedding = Embedder(config)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.skip_weights = nn.Parameter(torch.ones(skip_count(config.layers), config.dim))
        self.head = Head(config)
        if config.ternary_group:
            make_ternary(self.blocks, config.ternary_group)

    def use_vocabulary(self, vocabulary: Vocabulary) -> None:
        """Tell the model the pieces of its tokenizer; some techniques need it before the first forward pass."""
        self.embedding.use_vocabulary(vocabulary)

    def hidden(self, tokens: Tensor) -> Tensor:
        """int64 (B, T) -> normalised last residual (B, T, d)"""
        x0 = self.embedding(tokens, self.dtype or self.embedding.table.dtype)
        x = x0
        outputs: list[Tensor] = []
        for step in self.plan:
            if step.skip is not None and step.source is not None:
                x = torch.addcmul(x, self.skip_weights[step.skip].to(x.dtype), outputs[step.source])
            x = self.blocks[step.block](x, x0)
            outputs.append(x)
        return rms_norm(x)

    def forward(self, tokens: Tensor) -> Tensor:
        """int64 (B, T) -> logits (B, T, V), float32 or better"""
        return self.head.logits(self.hidden(tokens), tokens, self.embedding.table)

    def loss(self, tokens: Tensor, targets: Tensor) -> Tensor:
        """int64 (B, T) twice -> mean negative log-likelihood of the targets in nats, of those that are trained on"""
        return self.mean_loss(self.hidden(tokens), tokens, targets)

    def mean_loss(self, hidden: Tensor, tokens: Tensor, targets: Tensor, weights: Tensor | None = None) -> Tensor:
        """The same from the last residual (B, T, d), each target by its weight (B, T)."""
        return self.head.mean_loss(hidden, tokens, targets, self.embedding.table, weights)
