"""Shares of a block's change: learned per application (soft gates), or left out at random in training (stochastic depth).

Invariants: which rows leave a block out is a function of their tokens and of the application, so that it depends neither on a
generator's state nor on how many ranks share a batch; what is kept is scaled up, so that the mean change is the whole one.
"""

import torch
from torch import Tensor, nn

from pgolf_ref.config import ModelConfig
from pgolf_ref.registry import Group

# Odd numbers of a multiplicative hash modulo 2^31.
TOKEN, PLACE, APPLICATION, SPREAD = 1_103_515_245, 12_345_677, 747_796_405, 1_640_531_527
MODULUS = 2**31


class SoftGates(nn.Module):
    """x + 2 sigmoid(g) (block(x) - x), one g per application, zero at first."""

    GROUPS = {"logits": Group.SCALAR}

    def __init__(self, applications: int) -> None:
        super().__init__()
        self.logits = nn.Parameter(torch.zeros(applications))

    def forward(self, before: Tensor, after: Tensor, application: int) -> Tensor:
        """(B, T, d) twice -> (B, T, d)"""
        return before + 2 * self.logits[application].sigmoid().to(before.dtype) * (after - before)


def drop_probability(config: ModelConfig, application: int, applications: int) -> float:
    """A straight line from nearly 0 for the first application to the configured probability for the last."""
    return config.block.stochastic_depth * (application + 1) / applications


def randomly(before: Tensor, after: Tensor, tokens: Tensor, application: int, probability: float) -> Tensor:
    """(B, T, d) twice, tokens (B, T) -> a row is `before` with the probability, else its change is scaled up."""
    kept = draws(tokens, application) >= probability
    factor = kept.to(before.dtype) / (1 - probability)
    return before + factor.view(-1, 1, 1) * (after - before)


def draws(tokens: Tensor, application: int) -> Tensor:
    """int64 (B, T) -> a number in [0, 1) for each row, float64 (B,)"""
    places = torch.arange(tokens.size(1), device=tokens.device) * PLACE + TOKEN
    mixed = ((tokens + 1) * places % MODULUS).sum(dim=1) + (application + 1) * APPLICATION
    for _ in range(2):
        mixed = mixed % MODULUS * SPREAD % MODULUS
        mixed = mixed ^ (mixed >> 15)
    return mixed.to(torch.float64) / MODULUS
