"""A transformer block: mix in the first residual, then attention and feed-forward, each normalised before and scaled after."""

import torch
from torch import Tensor, nn

from pgolf_ref.config import ModelConfig
from pgolf_ref.model.attention import Attention
from pgolf_ref.model.mlp import MLP
from pgolf_ref.model.norm import rms_norm
from pgolf_ref.registry import Group


class Block(nn.Module):
    """x <- m0 x + m1 x0; x <- x + a attention(norm(x)); x <- x + b mlp(norm(x)), with one weight per channel."""

    GROUPS = {"resid_mix": Group.SCALAR, "attention_scale": Group.SCALAR, "mlp_scale": Group.SCALAR}

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.attention = Attention(config)
        self.mlp = MLP(config)
        self.attention_scale = nn.Parameter(torch.ones(config.dim))
        self.mlp_scale = nn.Parameter(torch.ones(config.dim))
        self.resid_mix = nn.Parameter(torch.stack((torch.ones(config.dim), torch.zeros(config.dim))))

    def forward(self, x: Tensor, x0: Tensor) -> Tensor:
        """x, x0: (B, T, d); x0 is the normalised embedding that the first block saw."""
        keep, again = self.resid_mix.to(x.dtype)
        x = torch.addcmul(keep * x, again, x0)
        x = torch.addcmul(x, self.attention_scale.to(x.dtype), self.attention(rms_norm(x)))
        return torch.addcmul(x, self.mlp_scale.to(x.dtype), self.mlp(rms_norm(x)))
