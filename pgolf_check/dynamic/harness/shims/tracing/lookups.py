"""Which calls of torch look targets up in logits, and which losses of a lookup a later call reads. Runs in the sandbox alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from .storages import NUMPY, TENSOR

LOSSES = (torch.nn.functional.cross_entropy, torch.nn.functional.nll_loss)
GATHERS = (TENSOR.gather, torch.gather, TENSOR.take_along_dim, torch.take_along_dim)
COPIES = frozenset(("to", "float", "double", "clone", "contiguous", "cpu", "detach", "reshape", "flatten", "neg"))
READS = frozenset(("to", "float", "double", "sum", "mean", "item", "tolist", "numpy"))
PRODUCTS = frozenset(("mul", "__mul__", "__rmul__", "multiply"))


@dataclass(frozen=True)
class Found:
    """A lookup of targets in logits; `losses` gives that of each target."""

    logits: Any
    targets: Any
    losses: Callable[[], Any]


def lookup_in(func: Any, args: Any, kwargs: Mapping[str, Any], result: Any) -> Found | None:
    """The lookup that a call was."""
    if func in LOSSES:
        return _loss(func, args, kwargs, result)
    if func in GATHERS:
        return _gathered(args, kwargs, result)
    return _indexed(args, result) if func is TENSOR.__getitem__ else None


def _loss(func: Any, args: Any, kwargs: Mapping[str, Any], result: Any) -> Found | None:
    named = dict(zip(("input", "target", "weight", "size_average", "ignore_index", "reduce", "reduction"), args, strict=False))
    named |= kwargs
    logits, targets = named["input"], named["target"]
    if logits.dim() not in (2, 3) or targets.is_floating_point():
        return None
    reduction = named.get("reduction", "mean")

    def losses() -> Any:
        if reduction == "none":
            return result
        with torch.no_grad():
            return func(logits.detach(), targets, reduction="none", ignore_index=named.get("ignore_index", -100))

    return Found(logits, targets, losses)


def _gathered(args: Any, kwargs: Mapping[str, Any], result: Any) -> Found | None:
    values = kwargs.get("input", args[0] if args else None)
    dim = kwargs.get("dim", args[1] if len(args) > 1 else None)
    index = kwargs.get("index", kwargs.get("indices", args[2] if len(args) > 2 else None))
    if isinstance(dim, TENSOR):
        dim, index = index, dim
    last = isinstance(values, TENSOR) and values.is_floating_point() and values.dim() > 1 and dim in (-1, values.dim() - 1)
    if last and isinstance(index, TENSOR) and index.dim() == values.dim() and index.size(-1) == 1:
        return Found(values, index, lambda: _nats(result))
    return None


def _indexed(args: Any, result: Any) -> Found | None:
    values, index = args[0], args[1]
    if not (isinstance(values, TENSOR) and values.is_floating_point() and isinstance(index, tuple) and len(index) == values.dim()):
        return None
    targets = index[-1]
    if (
        isinstance(targets, TENSOR)
        and targets.dtype == torch.int64
        and isinstance(result, TENSOR)
        and result.shape == targets.shape
    ):
        return Found(values, targets, lambda: _nats(result))
    return None


def part_read(name: str, args: Any, count: int) -> np.ndarray | None:
    """The indices of those of `count` losses that a call reads from its first argument."""
    chosen = _mask(name, args)
    if chosen is None and name not in READS:
        return None
    indices = _indices(args[0])
    if indices.size and indices.max() >= count:
        return None
    if chosen is None:
        return indices.reshape(-1)
    return indices[chosen.astype(bool)] if np.isin(chosen, (0, 1)).all() else None


def _mask(name: str, args: Any) -> np.ndarray | None:
    """What a call selects from its first argument with, or multiplies it by."""
    if len(args) < 2 or not isinstance(args[1], TENSOR) or args[1].shape != args[0].shape:
        return None
    selects = name == "__getitem__" and args[1].dtype == torch.bool
    return NUMPY(args[1].detach()) if selects or name in PRODUCTS else None


def _indices(view: Any) -> np.ndarray:
    """Where the elements of a view lie in its storage."""
    at = np.array(view.storage_offset())
    for size, stride in zip(view.shape, view.stride(), strict=True):
        at = at[..., None] + np.arange(size) * stride
    return at


def _nats(values: Any) -> Any:
    """The losses of looked-up probabilities or their logarithms."""
    values = values.detach()
    return -values if (values <= 0).all() else -values.clamp(min=1e-30).log()
