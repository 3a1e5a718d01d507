"""Small tables beside the token embedding: kinds of tokens, value embeddings, and a hash table that only evaluation trains."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pgolf_ref.data.vocabulary import Kind
from pgolf_ref.model.context import shifted, visible
from pgolf_ref.model.facts import Facts
from pgolf_ref.model.product import Multiplies
from pgolf_ref.registry import Group


class KindEmbedding(Multiplies):
    """scale * projection(table[kind of the token]); the projection starts at zero, the table does not."""

    GROUPS = {"table": Group.SCALAR, "projection": Group.MATRIX, "scale": Group.SCALAR}

    def __init__(self, dim: int, width: int) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.empty(len(Kind), dim).normal_())
        self.projection = nn.Parameter(torch.zeros(width, dim))
        self.scale = nn.Parameter(torch.tensor(0.05))

    def forward(self, tokens: Tensor, facts: Facts, dtype: torch.dtype) -> Tensor:
        """int64 (B, T) -> (B, T, width)"""
        vector = F.embedding(facts.kind(tokens), self.table).to(dtype)
        return self.product(vector, self.projection) * self.scale.to(dtype)


class ValueTable(Multiplies):
    """Value embeddings: scale * projection(table[token]), which layers add to their values by a weight of their own.

    The table starts small and the projection orthogonal: the effective start of the public scripts, whose zeros are overwritten.
    """

    GROUPS = {"table": Group.EMBEDDING, "projection": Group.MATRIX, "scale": Group.SCALAR}

    def __init__(self, vocab_size: int, dim: int, kv_dim: int) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.empty(vocab_size, dim).normal_(std=0.01))
        self.projection = nn.Parameter(nn.init.orthogonal_(torch.empty(kv_dim, dim)))
        self.scale = nn.Parameter(torch.tensor(0.1))

    def forward(self, tokens: Tensor, dtype: torch.dtype) -> Tensor:
        """int64 (B, T) -> (B, T, kv_dim)"""
        vector = F.embedding(tokens, self.table).to(dtype)
        return self.product(vector, self.projection) * self.scale.to(dtype)


class EvaluationHash(nn.Module):
    """A bigram table of zeros that is made for test-time training, trained there alone, and never stored."""

    GROUPS = {"table": Group.EMBEDDING}
    FACTOR = 2039

    def __init__(self, rows: int, width: int, isolate: bool) -> None:
        super().__init__()
        self.isolate = isolate
        self.table = nn.Parameter(torch.zeros(rows, width))

    def forward(self, tokens: Tensor, dtype: torch.dtype) -> Tensor:
        """int64 (B, T) -> (B, T, width); the row of (previous, current), previous 0 where there is none"""
        previous = shifted(tokens, 1) * visible(tokens, 1, self.isolate)
        return F.embedding((previous * self.FACTOR + tokens) % len(self.table), self.table).to(dtype)
