"""The output side: the last residual to logits, or at once to the mean negative log-likelihood of the targets.

Invariants: the logits of a position depend on its residual and on tokens up to it; the mean is that of the logits' cross-entropy;
the logits of a whole batch never exist at once in a loss.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from pgolf_ref.config import ModelConfig
from pgolf_ref.model.context import visible_pairs
from pgolf_ref.model.embedder import orthogonal_matrix, table_width
from pgolf_ref.model.flow import Adapt, unadapted
from pgolf_ref.model.loss import softcapped_cross_entropy
from pgolf_ref.model.product import Multiplies
from pgolf_ref.model.softcap import softcapped
from pgolf_ref.registry import Group

ELEMENTS = 2**26  # of the logits that exist at once where the loss is not the fused one

Rows = Callable[[Tensor, Tensor], Tensor]  # logits (n, V), targets (n,) -> losses (n,)


class Head(Multiplies):
    """The output matrix is the head's own or, in a tied model, the embedder's table, given with each call."""

    GROUPS = {
        "weight": Group.HEAD,
        "projection": Group.MATRIX,
        "low_rank_in": Group.MATRIX,
        "low_rank_out": Group.MATRIX,
        "bias": Group.SCALAR,
        "unigram": Group.CONSTANT,
        "unigram_weight": Group.SCALAR,
        "count_weight": Group.SCALAR,
        "temperature": Group.CONSTANT,
    }

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        c, dim, vocab, width = config.head, config.dim, config.vocab_size, table_width(config)
        self.projection = orthogonal_matrix(width, dim) if width != dim else None
        if not config.tied:
            self.weight = nn.Parameter(torch.zeros(vocab, width))
        if c.low_rank:
            self.low_rank_in = orthogonal_matrix(c.low_rank, dim)
            self.low_rank_out = nn.Parameter(torch.zeros(dim, c.low_rank))
        if c.bias:
            self.bias = nn.Parameter(torch.zeros(vocab))
        if c.unigram_bias:
            self.unigram = nn.Parameter(torch.zeros(vocab), requires_grad=False)
            self.unigram_weight = nn.Parameter(torch.zeros(()))
        if c.count_bias:
            self.count_weight = nn.Parameter(torch.zeros(()))
        if c.temperature:
            self.temperature = nn.Parameter(torch.ones(()), requires_grad=False)

    def logits(self, hidden: Tensor, tokens: Tensor, table: Tensor, adapt: Adapt = unadapted) -> Tensor:
        """(B, T, d), the tokens of the positions (B, T), the embedder's table -> (B, T, V), float32 or better"""
        c, features = self.config.head, self.features(hidden)
        raw = adapt("head", features, self.product(features, self._matrix(table)))
        if c.bias:
            raw = raw + self.bias.to(raw.dtype)
        capped = softcapped(raw, self.config.softcap, c.softcap_form)
        if c.unigram_bias:
            capped = capped + self.unigram_weight * self.unigram
        if c.count_bias:
            capped = capped + self.count_weight * self._log_counts(tokens, capped.dtype)
        return capped / self.temperature if c.temperature else capped

    def mean_loss(self, hidden: Tensor, tokens: Tensor, targets: Tensor, table: Tensor, weights: Tensor | None = None) -> Tensor:
        """The mean of weight (1) * negative log-likelihood in nats of the targets (B, T), without those in memory tokens' places."""
        skipped = self.config.embedding.memory_tokens
        if targets.size(1) <= skipped:
            return hidden.sum() * 0
        if self._fused:
            matrix = self._matrix(table).to(hidden.dtype)
            features = self.features(hidden[:, skipped:]).flatten(0, 1)
            counted = None if weights is None else weights[:, skipped:].flatten()
            return softcapped_cross_entropy(features, matrix, targets[:, skipped:].flatten(), self.config.softcap, counted)
        losses = self.losses(hidden, tokens, targets, table, _nll)
        return (losses if weights is None else losses * weights)[:, skipped:].mean()

    def losses(self, hidden: Tensor, tokens: Tensor, targets: Tensor, table: Tensor, rows: Rows) -> Tensor:
        """What `rows` makes of the logits of every position, (B, T); a few sequences at a time, computed again in the backward pass."""

        def part(h: Tensor, t: Tensor, y: Tensor, matrix: Tensor) -> Tensor:
            return rows(self.logits(h, t, matrix).flatten(0, 1), y.flatten()).view_as(y)

        count = max(1, ELEMENTS // (self.config.vocab_size * hidden.size(1)))
        parts = zip(hidden.split(count), tokens.split(count), targets.split(count), strict=True)
        return torch.cat([checkpoint(part, h, t, y, table, use_reentrant=False) for h, t, y in parts])

    def features(self, hidden: Tensor) -> Tensor:
        """(..., d) -> what the output matrix multiplies, (..., columns of the table): projection of h + U V h"""
        if self.config.head.low_rank:
            inner = self.product(hidden, self.low_rank_in)
            hidden = hidden + self.product(inner, self.low_rank_out)
        return hidden if self.projection is None else self.product(hidden, self.projection)

    @property
    def _fused(self) -> bool:
        """Whether the logits are a softcapped product alone; the sigmoid form gives the loss of the tanh form."""
        c = self.config.head
        return c.softcap_form != "poly5" and not (c.bias or c.unigram_bias or c.count_bias or c.temperature)

    def _matrix(self, table: Tensor) -> Tensor:
        return table if self.config.tied else self.weight

    def _log_counts(self, tokens: Tensor, dtype: torch.dtype) -> Tensor:
        """(B, T, V): log(1 + occurrences of each token at the positions up to t)."""
        counts = torch.zeros(*tokens.shape, self.config.vocab_size, dtype=dtype, device=tokens.device)
        seen = visible_pairs(tokens, self.config.embedding.isolate).to(dtype)
        return counts.scatter_add_(2, tokens.unsqueeze(1).expand_as(seen), seen).log1p()


def _nll(logits: Tensor, targets: Tensor) -> Tensor:
    return F.cross_entropy(logits, targets, reduction="none")
