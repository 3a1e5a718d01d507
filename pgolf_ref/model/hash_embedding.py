"""Embeddings of hashed n-grams (BigramHash and its relatives) and of hashed runs of bytes.

A table starts at zero and its projection orthogonal: the contribution is zero at first, and both receive gradients, the table at
the first step and the projection from the second on. With both zero neither ever would.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pgolf_ref.config.embedding import HashConfig
from pgolf_ref.data.vocabulary import Vocabulary
from pgolf_ref.model.facts import Facts
from pgolf_ref.model.hashing import byte_index, byte_powers, ngram_index, split_by_word_start
from pgolf_ref.model.product import Multiplies
from pgolf_ref.registry import Group

SCALE = 0.05  # initial factor of a contribution


class ProjectedTable(Multiplies):
    """rows x dim, looked up and projected: scale * projection(table[index])."""

    GROUPS = {"table": Group.EMBEDDING, "projection": Group.MATRIX, "scale": Group.SCALAR}

    def __init__(self, rows: int, dim: int, width: int) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.zeros(rows, dim))
        self.projection = nn.Parameter(nn.init.orthogonal_(torch.empty(width, dim)))
        self.scale = nn.Parameter(torch.tensor(SCALE))

    def project(self, vector: Tensor) -> Tensor:
        """(..., dim) -> (..., width)"""
        return self.product(vector, self.projection) * self.scale.to(vector.dtype)


class NgramTable(ProjectedTable):
    """One table for one or several orders, which share its rows and are summed, or have columns of their own."""

    def __init__(self, config: HashConfig, orders: tuple[int, ...], dim: int, width: int, isolate: bool) -> None:
        super().__init__(config.rows, dim, width)
        self.config, self.orders, self.isolate = config, orders, isolate

    def vector(self, tokens: Tensor, facts: Facts, dtype: torch.dtype) -> Tensor:
        """int64 (B, T) -> (B, T, dim)"""
        found = [self._of_order(tokens, order, facts) for order in self.orders]
        if self.config.layout == "columns":
            widths = column_widths(self.table.size(1), len(self.orders))
            parts = zip(found, self._columns(widths), strict=True)
            return torch.cat([looked_up[..., columns] for looked_up, columns in parts], dim=-1).to(dtype)
        return torch.stack(found).sum(dim=0).to(dtype)

    def _of_order(self, tokens: Tensor, order: int, facts: Facts) -> Tensor:
        """The mean over the independent hashes."""
        rows, looked_up = self.config.rows, []
        for head in range(self.config.heads):
            index = ngram_index(tokens, order, head, rows, self.isolate)
            if self.config.position_conditional:
                index = split_by_word_start(tokens, index, facts.starts_word(tokens), rows)
            looked_up.append(F.embedding(index, self.table))
        return torch.stack(looked_up).mean(dim=0)

    @staticmethod
    def _columns(widths: list[int]) -> list[slice]:
        ends = [sum(widths[: i + 1]) for i in range(len(widths))]
        return [slice(end - width, end) for end, width in zip(ends, widths, strict=True)]


class NgramHash(nn.Module):
    """The contribution of all n-gram tables, with the optional factor for word starts and the optional gate."""

    GROUPS = {"boost": Group.SCALAR, "gate": Group.SCALAR, "gate_bias": Group.SCALAR}

    def __init__(self, config: HashConfig, width: int, isolate: bool) -> None:
        super().__init__()
        self.config = config
        separate = config.layout == "separate"
        orders = [(order,) for order in config.orders] if separate else [config.orders]
        dims = config.dims if separate and config.dims else (config.dim,) * len(orders)
        self.tables = nn.ModuleList(NgramTable(config, own, dim, width, isolate) for own, dim in zip(orders, dims, strict=True))
        if config.word_start_boost:
            self.boost = nn.Parameter(torch.ones(()))
        if config.gate:
            self.gate = nn.Parameter(torch.zeros(width))
            self.gate_bias = nn.Parameter(torch.zeros(()))

    def vectors(self, tokens: Tensor, facts: Facts, dtype: torch.dtype) -> Tensor:
        """int64 (B, T) -> (B, T, sum of the tables' dims), before the projections"""
        return torch.cat([table.vector(tokens, facts, dtype) for table in self.tables], dim=-1)

    def forward(self, tokens: Tensor, embedded: Tensor, facts: Facts) -> Tensor:
        """int64 (B, T), token embeddings (B, T, width) -> (B, T, width)"""
        out = torch.zeros_like(embedded)
        for table in self.tables:
            out = out + table.project(table.vector(tokens, facts, embedded.dtype))
        if self.config.word_start_boost:
            starts = facts.starts_word(tokens).unsqueeze(-1)
            out = torch.where(starts, out * self.boost.to(out.dtype), out)
        if self.config.gate:
            logit = embedded @ self.gate.to(embedded.dtype) + self.gate_bias.to(embedded.dtype)
            out = out * logit.sigmoid().unsqueeze(-1)
        return out


class ByteEngram(ProjectedTable):
    """The contribution of the last bytes of the text, whatever the tokens that hold them."""

    lengths: Tensor
    hashes: Tensor

    def __init__(self, config: HashConfig, vocab_size: int, width: int, isolate: bool) -> None:
        super().__init__(config.byte_rows, config.dim, width)
        self.config, self.isolate = config, isolate
        self.register_buffer("lengths", torch.zeros(vocab_size, dtype=torch.int64), persistent=False)
        self.register_buffer("hashes", torch.zeros(vocab_size, config.byte_span + 1, dtype=torch.int64), persistent=False)

    def use(self, vocabulary: Vocabulary) -> None:
        lengths, hashes = byte_powers(vocabulary, self.config.byte_span)
        self.lengths.copy_(lengths)
        self.hashes.copy_(hashes)

    def forward(self, tokens: Tensor, dtype: torch.dtype) -> Tensor:
        """int64 (B, T) -> (B, T, width)"""
        index = byte_index(tokens, self.lengths, self.hashes, self.config.byte_rows, self.isolate)
        return self.project(F.embedding(index, self.table).to(dtype))


def column_widths(dim: int, parts: int) -> list[int]:
    """`dim` columns in nearly equal parts, the last one taking the rest: 128 in three are 42, 42 and 44."""
    return [dim // parts] * (parts - 1) + [dim - dim // parts * (parts - 1)]
