"""Which earlier positions a position may look at: those of its row, or those of its document.

Invariant: what is not visible reads as a fill value, never as another row's or document's token.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from pgolf_ref.data.pieces import BOS


def document_numbers(tokens: Tensor) -> Tensor:
    """int64 (B, T) -> the number of the document of each position within its row; BOS begins a document."""
    return (tokens == BOS).cumsum(dim=1)


def shifted(x: Tensor, distance: int, fill: int = 0) -> Tensor:
    """(B, T, ...) -> the values `distance` positions before; `fill` where there is no such position."""
    trailing = [0, 0] * (x.dim() - 2)
    return F.pad(x, [*trailing, distance, 0], value=fill)[:, : x.size(1)]


def visible(tokens: Tensor, distance: int, isolate: bool) -> Tensor:
    """bool (B, T): whether the position `distance` before exists and, with `isolate`, is of the same document."""
    present = torch.arange(tokens.size(1), device=tokens.device) >= distance
    if not isolate:
        return present.expand_as(tokens)
    documents = document_numbers(tokens)
    return present & (documents == shifted(documents, distance, fill=-1))


def visible_pairs(tokens: Tensor, isolate: bool) -> Tensor:
    """bool (B, T, T): whether position t (second axis) may count position s (third axis): s <= t, same document."""
    length = tokens.size(1)
    causal = torch.ones(length, length, dtype=torch.bool, device=tokens.device).tril()
    if not isolate:
        return causal.expand(tokens.size(0), length, length)
    documents = document_numbers(tokens)
    return causal & (documents.unsqueeze(2) == documents.unsqueeze(1))
