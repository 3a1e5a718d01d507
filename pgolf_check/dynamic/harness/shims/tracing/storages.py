"""The storages of tensors: which of them a call reads and writes, and what they hold. Runs in the sandbox alone."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import torch

TENSOR = torch.Tensor
NUMPY = TENSOR.numpy
"""The plain one: that of tensors is followed."""
REPLACES = frozenset(("zero_", "fill_", "normal_", "uniform_", "copy_", "trunc_normal_", "bernoulli_"))
"""In-place operations after which nothing of the old values is left, if they fill a whole storage."""


def is_in_place(name: str) -> bool:
    inner = name.startswith("__i") and name.endswith("__") and name not in ("__invert__", "__index__", "__int__", "__init__")
    return inner or name == "__setitem__" or (name.endswith("_") and not name.endswith("__"))


def storage_of(tensor: Any) -> int:
    try:
        return int(tensor.untyped_storage().data_ptr())
    except (RuntimeError, NotImplementedError, AttributeError):
        return 0


def is_whole(tensor: Any) -> bool:
    try:
        return bool(tensor.numel() * tensor.element_size() >= tensor.untyped_storage().nbytes())
    except (RuntimeError, NotImplementedError, AttributeError):
        return False


def tensors(value: Any, depth: int = 3) -> Iterator[Any]:
    if isinstance(value, TENSOR):
        yield value
    elif depth and isinstance(value, list | tuple):
        for each in value:
            yield from tensors(each, depth - 1)
    elif depth and isinstance(value, dict):
        for each in value.values():
            yield from tensors(each, depth - 1)


def digest_of(tensor: Any) -> bytes | None:
    """Of the content of a tensor that is not the same throughout, whatever its type."""
    try:
        values = tensor.detach().contiguous().cpu().flatten()
        raw = NUMPY(values.view(torch.uint8)).tobytes()
    except (RuntimeError, TypeError):
        return None
    return hashlib.blake2b(raw, digest_size=16).digest() if len(set(raw[:4096])) > 2 else None
