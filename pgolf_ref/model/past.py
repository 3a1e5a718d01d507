"""Keys and values of the positions before, so that a position that is added to a row costs one position and not the row.

Between positions a model passes information through attention and the embedder alone, unless `continues` says otherwise; the embedder
reads the whole row, and attention what is kept here. Invariant: hidden states are those of one pass over the whole row.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from pgolf_ref.config import ModelConfig


def continues(config: ModelConfig) -> bool:
    """Whether positions can be added to a row of this model: no convolution and no count spans them."""
    return config.block.canon == "none" and not config.head.count_bias


class Past:
    """One application of a block: keys and values (B, P, H_kv, D) of the positions so far."""

    def __init__(self, length: int) -> None:
        """`length` of the whole row, from which rotary positions derive."""
        self.length = length
        self._keys: Tensor | None = None
        self._values: Tensor | None = None

    @property
    def seen(self) -> int:
        return 0 if self._keys is None else self._keys.size(1)

    def attend(self, q: Tensor, k: Tensor, v: Tensor, segments: Tensor | None) -> Tensor:
        """q (B, S, H, D), k and v (B, S, H_kv, D) of the next S positions, documents of all (B, P + S) -> (B, S, H D)"""
        before, count = self.seen, q.size(1)
        self._keys = k if self._keys is None else torch.cat((self._keys, k), dim=1)
        self._values = v if self._values is None else torch.cat((self._values, v), dim=1)
        visible = torch.ones(count, before + count, dtype=torch.bool, device=q.device).tril(before)
        if segments is not None:
            visible = visible & (segments[:, before:, None] == segments[:, None, :]).unsqueeze(1)
        group = q.size(2) // k.size(2)
        queries, keys, values = (x.transpose(1, 2) for x in (q, self._keys, self._values))
        y = F.scaled_dot_product_attention(queries, keys, values, attn_mask=visible, enable_gqa=group > 1)
        return y.transpose(1, 2).flatten(2)


class Pasts:
    """All applications of the blocks of a plan, for rows of `length` positions."""

    def __init__(self, applications: int, length: int) -> None:
        self.layers = [Past(length) for _ in range(applications)]

    @property
    def seen(self) -> int:
        """Positions before the next ones."""
        return max((layer.seen for layer in self.layers), default=0)
