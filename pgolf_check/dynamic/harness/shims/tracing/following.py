"""What a run prints, what leaves torch and comes back, and its own autograd functions are told to its trace. Runs in the sandbox alone."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, Protocol

import torch

from .storages import NUMPY, TENSOR, tensors


class Told(Protocol):
    """What hears of it."""

    def printed(self, text: str) -> None: ...
    def left(self, tensor: Any) -> None: ...
    def came(self, tensor: Any) -> None: ...
    def enter_function(self) -> None: ...
    def leave_function(self, result: Any) -> None: ...


def follow_prints(trace: Told) -> None:
    """Lines of standard output, whoever writes them."""
    for stream in (sys.stdout, sys.stderr):
        stream.write = _followed(stream.write, trace)  # type: ignore[method-assign]


def _followed(write: Callable[[str], int], trace: Told) -> Callable[[str], int]:
    parts: list[str] = []

    def writes(text: str) -> int:
        *lines, rest = text.split("\n")
        for line in lines:
            trace.printed("".join((*parts, line)))
            parts.clear()
        parts.append(rest)
        return write(text)

    return writes


def follow_files(trace: Told) -> None:
    """What leaves torch takes its marks along if it comes back bit-equal: by `save` and `load`, or as arrays."""
    save, load = torch.save, torch.load
    from_numpy = torch.from_numpy

    def saves(thing: Any, *args: Any, **options: Any) -> Any:
        for each in tensors(thing):
            trace.left(each)
        return save(thing, *args, **options)

    def loads(*args: Any, **options: Any) -> Any:
        found = load(*args, **options)
        for each in tensors(found):
            trace.came(each)
        return found

    def as_array(self: Any, *args: Any, **options: Any) -> Any:
        trace.left(self)
        return NUMPY(self, *args, **options)

    def of_array(array: Any) -> Any:
        found = from_numpy(array)
        trace.came(found)
        return found

    torch.save, torch.load, torch.from_numpy = saves, loads, of_array  # type: ignore[assignment]
    TENSOR.numpy = as_array  # type: ignore[method-assign]


def follow_functions(trace: Told) -> None:
    """A loss that an autograd function of the script computes is learnt from as any other."""
    apply = vars(torch.autograd.Function)["apply"].__func__

    def followed(cls: Any, *args: Any, **options: Any) -> Any:
        trace.enter_function()
        result = None
        try:
            result = apply(cls, *args, **options)
        finally:
            trace.leave_function(result)
        return result

    torch.autograd.Function.apply = classmethod(followed)  # type: ignore[method-assign,assignment]
