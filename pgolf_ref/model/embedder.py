"""The input side: tokens to the first residual.

table[token] + hashes + kind, smeared per token, normalised, projected to the model's width, + hashes, smeared per channel; every
part but the table and the norm is optional and absent when off. Invariant: position t depends on tokens up to t and, with
`isolate`, on those of its document alone.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pgolf_ref.config import ModelConfig
from pgolf_ref.data.vocabulary import Vocabulary
from pgolf_ref.model.facts import Facts
from pgolf_ref.model.hash_embedding import ByteEngram, NgramHash
from pgolf_ref.model.norm import rms_norm
from pgolf_ref.model.product import Multiplies
from pgolf_ref.model.smear import ChannelSmear, TokenSmear
from pgolf_ref.model.token_tables import EvaluationHash, KindEmbedding
from pgolf_ref.registry import Group, Role


class Embedder(Multiplies):
    """B sequences of T tokens -> (B, T, d). The table is also the output matrix of a tied model."""

    GROUPS = {"table": Group.EMBEDDING, "projection": Group.MATRIX, "memory": Group.EMBEDDING}
    ROLES = {"table": Role.EMBEDDING}

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        c, width = config.embedding, table_width(config)
        self.table = nn.Parameter(torch.empty(config.vocab_size, width).normal_(std=config.embedding_std))
        self.facts = Facts(config.vocab_size)
        self.projection = orthogonal_matrix(config.dim, width) if width != config.dim else None
        hash_width = width if c.hash.place == "before_norm" else config.dim
        self.ngrams = NgramHash(c.hash, hash_width, c.isolate) if c.hash.rows else None
        self.bytes = ByteEngram(c.hash, config.vocab_size, hash_width, c.isolate) if c.hash.byte_rows else None
        self.kinds = KindEmbedding(c.type_dim, width) if c.type_dim else None
        self.token_smear = TokenSmear(c.smear_window, c.isolate) if c.smear == "token" else None
        self.channel_smear = ChannelSmear(config.dim, c.isolate) if c.smear == "channel" else None
        self.memory = nn.Parameter(torch.empty(c.memory_tokens, config.dim).normal_()) if c.memory_tokens else None
        self.evaluation: EvaluationHash | None = None

    def use_vocabulary(self, vocabulary: Vocabulary) -> None:
        """Tell the embedder the pieces of its tokenizer, which some techniques need."""
        self.facts.use(vocabulary, self.table.device)
        if self.bytes is not None:
            self.bytes.use(vocabulary)

    def add_evaluation_hash(self, rows: int) -> None:
        """From here on add a table of zeros, for test-time training to fill."""
        made = EvaluationHash(rows, self.config.dim, self.config.embedding.isolate)
        self.evaluation = made.to(self.table.device, self.table.dtype)

    def forward(self, tokens: Tensor, dtype: torch.dtype) -> Tensor:
        """int64 (B, T) -> (B, T, d) in the activation dtype"""
        early = self.config.embedding.hash.place == "before_norm"
        x = F.embedding(tokens, self.table).to(dtype)
        if early:
            x = self._hashed(tokens, x)
        if self.kinds is not None:
            x = x + self.kinds(tokens, self.facts, dtype)
        if self.token_smear is not None:
            x = self.token_smear(tokens, x)
        x = self._normalised(x)
        if not early:
            x = self._hashed(tokens, x)
        if self.evaluation is not None:
            x = x + self.evaluation(tokens, dtype)
        if self.channel_smear is not None:
            x = self.channel_smear(tokens, x)
        return x if self.memory is None else self._remembering(x, self.memory)

    @property
    def hash_dim(self) -> int:
        """Columns of `hash_vectors`."""
        return 0 if self.ngrams is None else sum(table.table.size(1) for table in self.ngrams.tables)

    def hash_vectors(self, tokens: Tensor) -> Tensor:
        """int64 (B, T) -> the looked-up n-gram vectors (B, T, hash_dim), before their projections"""
        assert self.ngrams is not None, "the configuration has hash tables"
        return self.ngrams.vectors(tokens, self.facts, self.table.dtype)

    def _hashed(self, tokens: Tensor, x: Tensor) -> Tensor:
        total = x
        if self.ngrams is not None:
            total = total + self.ngrams(tokens, x, self.facts)
        if self.bytes is not None:
            total = total + self.bytes(tokens, x.dtype)
        return total

    def _normalised(self, x: Tensor) -> Tensor:
        if self.projection is None:
            return rms_norm(x)
        if self.config.embedding.projection == "after_norm":
            return self.product(rms_norm(x), self.projection)
        return rms_norm(self.product(x, self.projection))

    def _remembering(self, x: Tensor, memory: Tensor) -> Tensor:
        """The learned vectors stand in the first places of every row."""
        count = min(len(memory), x.size(1))
        first = memory[:count].to(x.dtype).expand(x.size(0), count, x.size(2))
        return torch.cat((first, x[:, count:]), dim=1)


def table_width(config: ModelConfig) -> int:
    """Columns of the token table."""
    return config.embedding.dim or config.dim


def orthogonal_matrix(rows: int, columns: int) -> nn.Parameter:
    """(rows, columns) with singular values of 1."""
    return nn.Parameter(nn.init.orthogonal_(torch.empty(rows, columns)))
