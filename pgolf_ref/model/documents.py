"""Documents in a row of tokens: attention that does not look beyond them.

Invariants: a document begins at BOS and at the beginning of a row; none is longer than the limit, where there is one.
"""

import torch
from torch import Tensor

from pgolf_ref.data.pieces import BOS


def segments(tokens: Tensor, max_length: int = 0) -> Tensor:
    """int64 (B, T) -> the number of each position's document within its row, int64 (B, T); 0 = documents of any length"""
    begins = tokens == BOS
    begins[:, 0] = True
    if max_length:
        places = torch.arange(tokens.size(1), device=tokens.device).expand_as(tokens)
        offset = places - torch.where(begins, places, 0).cummax(dim=1).values
        begins = begins | (offset % max_length == 0)
    return begins.cumsum(dim=1)


def mask(numbers: Tensor) -> Tensor:
    """Document numbers (B, T) -> bool (B, 1, T, T): position t (third axis) sees s (fourth): s <= t, same document"""
    same = numbers.unsqueeze(2) == numbers.unsqueeze(1)
    return same.tril().unsqueeze(1)


def boundaries(numbers: Tensor) -> tuple[Tensor, int]:
    """Document numbers (B, T) -> ends of documents in the flattened rows, int32 (documents + 1,) from 0 on; the longest"""
    begins = torch.ones_like(numbers, dtype=torch.bool)
    begins[:, 1:] = numbers[:, 1:] != numbers[:, :-1]
    ends = torch.cat((begins.flatten().nonzero().flatten(), begins.new_tensor([begins.numel()], dtype=torch.int64)))
    return ends.to(torch.int32), int(ends.diff().max())
