"""What tells the passes of a loop apart, done to the residual before each pass p = 0 .. loops; each is transparent at first.

loop_norm       RMS norm, from pass 1 on
reinject        x + r_p x0, from pass 1 on
pass_embedding  x + e_p
film            x (1 + gamma_p) + beta_p
timestep        x + w * (sin, cos of p at the frequencies of a transformer)
"""

import torch
from torch import Tensor, nn

from pgolf_ref.config import ModelConfig
from pgolf_ref.model.norm import rms_norm
from pgolf_ref.registry import Group

BASE = 10_000.0


class Passes(nn.Module):
    """Vectors per pass, (loops + 1, d); `reinject` has one number for each extra pass."""

    GROUPS = dict.fromkeys(("embedding", "gamma", "beta", "timestep", "reinjected"), Group.SCALAR)

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        r = config.recurrence
        self.config = config.recurrence
        shape = (r.loops + 1, config.dim)
        self.embedding = nn.Parameter(torch.zeros(shape)) if r.pass_embedding else None
        self.gamma = nn.Parameter(torch.zeros(shape)) if r.film else None
        self.beta = nn.Parameter(torch.zeros(shape)) if r.film else None
        self.timestep = nn.Parameter(torch.zeros(config.dim)) if r.timestep else None
        self.reinjected = nn.Parameter(torch.zeros(r.loops)) if r.reinject else None

    def forward(self, x: Tensor, x0: Tensor, number: int) -> Tensor:
        """(B, T, d) twice, which pass begins -> (B, T, d)"""
        if self.config.loop_norm and number:
            x = rms_norm(x)
        if self.reinjected is not None and number:
            x = x + self.reinjected[number - 1].to(x.dtype) * x0
        if self.embedding is not None:
            x = x + self.embedding[number].to(x.dtype)
        if self.gamma is not None and self.beta is not None:
            x = x * (1 + self.gamma[number].to(x.dtype)) + self.beta[number].to(x.dtype)
        if self.timestep is not None:
            x = x + self.timestep.to(x.dtype) * sinusoid(number, x)
        return x


def sinusoid(number: int, like: Tensor) -> Tensor:
    """(d,): sines in the even channels and cosines in the odd ones."""
    channels = torch.arange(like.size(-1), device=like.device)
    angle = number * BASE ** (-(channels - channels % 2) / like.size(-1))
    return torch.where(channels % 2 == 0, angle.sin(), angle.cos()).to(like.dtype)
