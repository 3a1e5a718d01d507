"""FlashAttention's functions over scaled_dot_product_attention. Runs in the sandbox alone."""

from __future__ import annotations

from typing import Any

import torch
from torch.nn.functional import scaled_dot_product_attention


def batched(q: Any, k: Any, v: Any, *_: Any, causal: bool = False, softmax_scale: float | None = None, **options: Any) -> Any:
    """Attention of q [batch, queries, heads, dim] to k and v [batch, keys, kv_heads, dim]; the last query sees the last key."""
    left = options.get("window_size", (-1, -1))[0]
    queries, keys = q.shape[1], k.shape[1]
    distance = torch.arange(keys - queries, keys, device=q.device)[:, None] - torch.arange(keys, device=q.device)
    seen = torch.ones(queries, keys, dtype=torch.bool, device=q.device)
    if causal:
        seen &= distance >= 0
    if left is not None and left >= 0:
        seen &= distance <= left
    grouped = q.shape[2] != k.shape[2]
    q, k, v = (x.transpose(1, 2) for x in (q, k, v))
    out = scaled_dot_product_attention(q, k, v, attn_mask=seen, scale=softmax_scale, enable_gqa=grouped)
    return out.transpose(1, 2)


def packed(q: Any, k: Any, v: Any, cu_seqlens_q: Any, cu_seqlens_k: Any, *_: Any, **options: Any) -> Any:
    """Attention within packed sequences: q [tokens, heads, dim], whose bounds are `cu_seqlens_q`, likewise for the keys."""
    bounds = zip(*(x.tolist() for x in (cu_seqlens_q[:-1], cu_seqlens_q[1:], cu_seqlens_k[:-1], cu_seqlens_k[1:])), strict=True)
    parts = [batched(q[None, a:b], k[None, c:d], v[None, c:d], **options)[0] for a, b, c, d in bounds if b > a]
    left_over = q.shape[0] - int(cu_seqlens_q[-1])
    return torch.cat([*parts, torch.zeros_like(q[q.shape[0] - left_over :])])
