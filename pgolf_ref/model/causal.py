"""Causal softmax attention with grouped queries: softmax(q k^T / sqrt(D)) v over the positions up to the query's own.

Invariants: equal to scaled_dot_product_attention(is_causal=True, enable_gqa=True) in value and gradient. On a GPU it is that
function; on a CPU it goes by blocks of queries, each against the keys it can see, which takes two thirds of the time.
"""

import math
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

QUERY_BLOCK = 64


def causal_attention(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """q (B, T, H, D), k and v (B, T, H_kv, D) -> (B, T, H * D); query head h reads key-value head h // (H / H_kv)."""
    if q.is_cuda:
        q, k, v = (x.transpose(1, 2) for x in (q, k, v))
        return F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True).transpose(1, 2).flatten(2)
    y: Tensor = _BlockwiseAttention.apply(q, k, v)
    return y


class _BlockwiseAttention(torch.autograd.Function):
    """Per key-value head: queries (B H_kv, T G, D), where the G query heads of a position lie side by side."""

    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        group = q.size(2) // k.size(2)
        queries, keys, values = _by_head(q * q.size(3) ** -0.5, k.size(2)), _by_head(k, k.size(2)), _by_head(v, k.size(2))
        out = torch.empty_like(queries)
        probabilities = []
        future = queries.new_full((QUERY_BLOCK, QUERY_BLOCK), -math.inf).triu_(1).repeat_interleave(group, 0)
        for start, end, rows in _blocks(q.size(1), group):
            scores = queries[:, rows] @ keys[:, :end].mT
            scores[:, :, start:] += future[: (end - start) * group, : end - start]
            probabilities.append(torch.softmax(scores, dim=-1))
            out[:, rows] = probabilities[-1] @ values[:, :end]
        ctx.save_for_backward(queries, keys, values, *probabilities)
        ctx.shapes = q.shape, k.shape
        return _by_position(out, q.shape, k.size(2)).flatten(2)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """With p = softmax(s), o = p v: dv = p^T do, ds = p (do v^T - rowsum(p do v^T)), dq = ds k, dk = ds^T q."""
        queries, keys, values, *probabilities = ctx.saved_tensors
        q_shape, k_shape = ctx.shapes
        d_out = _by_head(g.view(q_shape), k_shape[2])
        dq, dk, dv = torch.empty_like(queries), torch.zeros_like(keys), torch.zeros_like(values)
        for p, (_, end, rows) in zip(probabilities, _blocks(q_shape[1], q_shape[2] // k_shape[2]), strict=True):
            dv[:, :end].baddbmm_(p.mT, d_out[:, rows])
            ds = torch._softmax_backward_data(d_out[:, rows] @ values[:, :end].mT, p, -1, p.dtype)
            dq[:, rows] = ds @ keys[:, :end]
            dk[:, :end].baddbmm_(ds.mT, queries[:, rows])
        dq = _by_position(dq, q_shape, k_shape[2]) * q_shape[3] ** -0.5
        return dq, _by_position(dk, k_shape, k_shape[2]), _by_position(dv, k_shape, k_shape[2])


def _blocks(length: int, group: int) -> list[tuple[int, int, slice]]:
    """First and last + 1 position of each block of queries, and its rows."""
    bounds = [(start, min(start + QUERY_BLOCK, length)) for start in range(0, length, QUERY_BLOCK)]
    return [(start, end, slice(start * group, end * group)) for start, end in bounds]


def _by_head(x: Tensor, kv_heads: int) -> Tensor:
    """(B, T, H_kv G, D) -> (B H_kv, T G, D)"""
    batch, length, heads, size = x.shape
    x = x.view(batch, length, kv_heads, heads // kv_heads, size).transpose(1, 2)
    return x.reshape(batch * kv_heads, length * (heads // kv_heads), size)


def _by_position(x: Tensor, shape: torch.Size, kv_heads: int) -> Tensor:
    """(B H_kv, T G, D) -> (B, T, H_kv G, D) = shape"""
    batch, length, heads, size = shape
    return x.view(batch, kv_heads, length, heads // kv_heads, size).transpose(1, 2).reshape(shape)
