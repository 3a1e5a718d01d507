"""Heads that only training has: they read the last residual, add to the loss, and are no part of the model that is exported.

Their targets lie further in the future than the next token; nothing that evaluation computes depends on them.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pgolf_ref.model.embedder import orthogonal_matrix
from pgolf_ref.model.facts import Facts
from pgolf_ref.model.loss import softcapped_cross_entropy
from pgolf_ref.registry import Group


class MultiToken(nn.Module):
    """Head k of K predicts the token k places after the next one (Gloeckle et al. 2024); the mean over the heads."""

    GROUPS = {"weights": Group.HEAD}

    def __init__(self, heads: int, vocab_size: int, dim: int, softcap: float) -> None:
        super().__init__()
        self.softcap = softcap
        self.weights = nn.Parameter(torch.zeros(heads, vocab_size, dim))

    def forward(self, hidden: Tensor, targets: Tensor) -> Tensor:
        """(B, T, d), int64 (B, T) -> nats; targets[t] is the next token of position t"""
        losses = []
        for ahead, weight in enumerate(self.weights.to(hidden.dtype), start=1):
            rows, later = hidden[:, :-ahead].flatten(0, 1), targets[:, ahead:].flatten()
            losses.append(softcapped_cross_entropy(rows, weight, later, self.softcap))
        return torch.stack(losses).mean()


class NextWord(nn.Module):
    """Predicts the first token of the next word: of the targets after a position's own, the first that begins a word."""

    GROUPS = {"weight": Group.HEAD}

    def __init__(self, vocab_size: int, dim: int, softcap: float) -> None:
        super().__init__()
        self.softcap = softcap
        self.weight = nn.Parameter(torch.zeros(vocab_size, dim))

    def forward(self, hidden: Tensor, targets: Tensor, facts: Facts) -> Tensor:
        """(B, T, d), int64 (B, T) -> nats, summed over the positions that have a next word, divided by the number of all"""
        place = next_word(facts.starts_word(targets))
        known = place < targets.size(1)
        words = targets.gather(1, place.clamp(max=targets.size(1) - 1))
        weight = self.weight.to(hidden.dtype)
        return softcapped_cross_entropy(hidden.flatten(0, 1), weight, words.flatten(), self.softcap, known.flatten())


class WordStart(nn.Module):
    """A binary head: does the next token begin a word?"""

    GROUPS = {"weight": Group.SCALAR, "bias": Group.SCALAR}

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(dim))
        self.bias = nn.Parameter(torch.zeros(()))

    def forward(self, hidden: Tensor, targets: Tensor, facts: Facts) -> Tensor:
        """(B, T, d), int64 (B, T) -> nats of the binary choice"""
        logits = hidden @ self.weight.to(hidden.dtype) + self.bias.to(hidden.dtype)
        logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
        return F.binary_cross_entropy_with_logits(logits, facts.starts_word(targets).to(logits.dtype))


class Predictor(nn.Module):
    """Predicts the hash embedding of the next position (JEPA: a prediction in representation space, LeCun 2022).

    down(relu(up(h))^2) with a hidden layer as wide as the prediction; the squared error per element. The hash embedding is a fixed
    target: no gradient flows into it, so that it cannot collapse.
    """

    GROUPS = {"up": Group.MATRIX, "down": Group.MATRIX}

    def __init__(self, dim: int, hash_dim: int) -> None:
        super().__init__()
        self.up = orthogonal_matrix(hash_dim, dim)
        self.down = orthogonal_matrix(hash_dim, hash_dim)

    def forward(self, hidden: Tensor, vectors: Tensor) -> Tensor:
        """(B, T, d), hash vectors (B, T, hash_dim) -> mean squared error over the positions that have a next one"""
        inner = F.linear(hidden[:, :-1], self.up.to(hidden.dtype)).relu().square()
        return F.mse_loss(F.linear(inner, self.down.to(hidden.dtype)), vectors[:, 1:].detach().to(hidden.dtype))


def next_word(starts: Tensor) -> Tensor:
    """bool (B, T) -> for each place the first later one that is true, T where there is none"""
    length = starts.size(1)
    places = torch.where(starts, torch.arange(length, device=starts.device), length)
    nearest = places.flip(1).cummin(dim=1).values.flip(1)
    return F.pad(nearest[:, 1:], (0, 1), value=length)
