"""Implementations of causal attention with grouped queries, chosen at run time; all give the same numbers within rounding.

blockwise                          our own, on a CPU, for rows of one document (causal.py)
fa3, fa2                           FlashAttention, where its package is installed; documents by their boundaries
flash, cudnn, efficient, math      those of torch; documents by a mask, which flash does not take

`auto` takes the first that works on the device, in the order of PREFERENCE.
"""

from functools import lru_cache
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

from pgolf_ref.errors import UserError
from pgolf_ref.model.causal import causal_attention
from pgolf_ref.model.documents import boundaries, mask

SDPA = {
    "flash": SDPBackend.FLASH_ATTENTION,
    "cudnn": SDPBackend.CUDNN_ATTENTION,
    "efficient": SDPBackend.EFFICIENT_ATTENTION,
    "math": SDPBackend.MATH,
}
PREFERENCE = ("blockwise", "fa3", "fa2", "flash", "cudnn", "efficient", "math")


def attend(q: Tensor, k: Tensor, v: Tensor, segments: Tensor | None = None, backend: str = "auto") -> Tensor:
    """q (B, T, H, D), k and v (B, T, H_kv, D), numbers of documents (B, T) -> (B, T, H D)"""
    if backend == "auto":
        backend = chosen(backend, q.device.type, q.dtype, segments is not None)
    return computed(backend, q, k, v, segments)


def computed(name: str, q: Tensor, k: Tensor, v: Tensor, segments: Tensor | None) -> Tensor:
    """By the implementation of this name, whether it works here or not."""
    if name == "blockwise":
        return _blockwise(q, k, v, segments)
    if name == "fa3":
        return _flash_attention_3(q, k, v, segments)
    if name == "fa2":
        return _flash_attention_2(q, k, v, segments)
    return _sdpa(SDPA[name], q, k, v, segments)


@lru_cache(maxsize=32)
def chosen(backend: str, device: str, dtype: torch.dtype, documents: bool) -> str:
    """The name of the implementation that `backend` means; UserError where it does not work."""
    if backend == "auto":
        return next(name for name in PREFERENCE if works(name, device, dtype, documents))
    if not works(backend, device, dtype, documents):
        packed = " with documents" if documents else ""
        raise UserError(f"attention {backend!r} does not work on {device} in {dtype}{packed}: set run.attention to auto")
    return backend


@lru_cache(maxsize=64)
def works(name: str, device: str, dtype: torch.dtype, documents: bool) -> bool:
    """Whether an implementation takes a small input and gives the gradient."""
    if name == "blockwise":
        return device == "cpu" and not documents
    with torch.inference_mode(False), torch.enable_grad():
        q, k, v = (torch.ones(1, 16, heads, 16, device=device, dtype=dtype, requires_grad=True) for heads in (2, 1, 1))
        segments = torch.ones(1, 16, dtype=torch.int64, device=device) if documents else None
        try:
            computed(name, q, k, v, segments).sum().backward()
        except (RuntimeError, ImportError, ValueError):
            return False
    return True


def described(name: str, documents: bool) -> str:
    """What a log says of the implementation that will run."""
    return f"attention:{name}" + (" documents" if documents else "")


def _blockwise(q: Tensor, k: Tensor, v: Tensor, segments: Tensor | None) -> Tensor:
    if segments is not None:
        raise ValueError("blockwise attention has no documents")
    return causal_attention(q, k, v)


def _sdpa(backend: SDPBackend, q: Tensor, k: Tensor, v: Tensor, segments: Tensor | None) -> Tensor:
    group = q.size(2) // k.size(2)
    if backend is SDPBackend.EFFICIENT_ATTENTION:
        k, v, group = k.repeat_interleave(group, dim=2), v.repeat_interleave(group, dim=2), 1
    q, k, v = (x.transpose(1, 2) for x in (q, k, v))
    seen = None if segments is None else mask(segments)
    with sdpa_kernel(backend):
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=seen, is_causal=seen is None, enable_gqa=group > 1)
    return y.transpose(1, 2).flatten(2)


def _flash_attention_3(q: Tensor, k: Tensor, v: Tensor, segments: Tensor | None) -> Tensor:
    import flash_attn_interface

    return _package(flash_attn_interface, q, k, v, segments)


def _flash_attention_2(q: Tensor, k: Tensor, v: Tensor, segments: Tensor | None) -> Tensor:
    import flash_attn

    return _package(flash_attn, q, k, v, segments)


def _package(package: Any, q: Tensor, k: Tensor, v: Tensor, segments: Tensor | None) -> Tensor:
    """FlashAttention 2 and 3 share the names of two functions."""
    if segments is None:
        y = package.flash_attn_func(q, k, v, causal=True)
        return _output(y).flatten(2)
    ends, longest = boundaries(segments)
    flat = (x.flatten(0, 1) for x in (q, k, v))
    y = package.flash_attn_varlen_func(*flat, ends, ends, longest, longest, causal=True)
    return _output(y).view(q.shape).flatten(2)


def _output(result: Any) -> Tensor:
    """Some versions return the log-sum-exp beside the output."""
    y: Tensor = result[0] if isinstance(result, tuple) else result
    return y
