"""Triton's kernels, one program after the other, over numpy views of the tensors. Runs in the sandbox alone.

A pointer is a flat array and offsets into it; a block is an array that knows `to`. Half precisions are float32 here as elsewhere.
"""

from __future__ import annotations

import itertools
import sys
import types
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch


class Block(np.ndarray):
    """A block of values; a single value is a block without axes."""

    def to(self, kind: Any, *_: Any, **__: Any) -> Block:
        return self.astype(kind).view(Block)

    def __array_wrap__(self, array: Any, *_: Any) -> Any:
        return np.asarray(array).view(Block)


def block(values: Any) -> Block:
    """Any number or array as a block; floating point values are float32."""
    array = np.asarray(values)
    return (array.astype(np.float32) if array.dtype == np.float64 else array).view(Block)


@dataclass(frozen=True, slots=True)
class Pointer:
    """Places in a flat view of a tensor."""

    base: Any
    offsets: Any = 0

    def __add__(self, further: Any) -> Pointer:
        return Pointer(self.base, self.offsets + further)

    __radd__ = __add__


@dataclass(frozen=True, slots=True)
class TensorDescriptor:
    """Tiles of a matrix, as Triton's: what a tile holds beyond the matrix is 0 and is not stored."""

    matrix: Any
    shape: Any

    @classmethod
    def from_tensor(cls, tensor: Any, block_shape: Any, *_: Any) -> TensorDescriptor:
        return cls(tensor.detach().numpy(), tuple(block_shape))

    def _at(self, place: Any) -> Any:
        return tuple(slice(int(start), int(start) + size) for start, size in zip(place, self.shape, strict=True))

    def load(self, place: Any) -> Block:
        tile = np.zeros(self.shape, self.matrix.dtype)
        found = self.matrix[self._at(place)]
        tile[tuple(map(slice, found.shape))] = found
        return block(tile)

    def store(self, place: Any, values: Any) -> None:
        target = self.matrix[self._at(place)]
        target[...] = np.asarray(values)[tuple(map(slice, target.shape))]


def load(pointer: Any, mask: Any = None, other: Any = 0, **_: Any) -> Block:
    if mask is None:
        return block(pointer.base[np.asarray(pointer.offsets)])
    inside = np.broadcast_to(mask, np.shape(pointer.offsets))
    return block(np.where(inside, pointer.base[np.where(inside, pointer.offsets, 0)], other))


def store(pointer: Any, values: Any, mask: Any = None, **_: Any) -> None:
    places = np.asarray(pointer.offsets)
    if mask is None:
        pointer.base[places] = values
    else:
        inside = np.broadcast_to(mask, places.shape)
        pointer.base[places[inside]] = np.broadcast_to(values, places.shape)[inside]


def _cdiv(a: Any, b: Any) -> int:
    return -(-int(a) // int(b))


def _softmax(x: Any, *_: Any, **__: Any) -> Block:
    shifted = np.exp(x - np.max(x, axis=0))
    return block(shifted / shifted.sum(axis=0))


def _dot(a: Any, b: Any, acc: Any = None, **_: Any) -> Block:
    product = np.matmul(a, b)
    return block(product if acc is None else product + acc)


_reduced: Callable[..., Any] = lambda reduce: lambda x, axis=None, **_: block(reduce(np.asarray(x), axis=axis))  # noqa: E731
_mapped: Callable[..., Any] = lambda function: lambda *x, **_: block(function(*x))  # noqa: E731
MATHEMATICS: dict[str, Callable[..., Any]] = {
    **{name: _mapped(getattr(np, name)) for name in ("exp", "exp2", "log", "log2", "sqrt", "sin", "cos", "abs", "floor", "ceil", "maximum")},
    "minimum": _mapped(np.minimum), "where": _mapped(np.where), "fma": _mapped(lambda a, b, c: a * b + c), "tanh": _mapped(np.tanh),
    "rsqrt": _mapped(lambda x: 1 / np.sqrt(x)), "sigmoid": _mapped(lambda x: 1 / (1 + np.exp(-np.asarray(x, np.float32)))),
    **{name: _reduced(getattr(np, name)) for name in ("sum", "max", "min", "argmax", "argmin")},
    "popc": _mapped(lambda x: np.bitwise_count(np.asarray(x))), "softmax": _softmax, "dot": _dot,
}  # fmt: skip
SHAPES: dict[str, Callable[..., Any]] = {
    "zeros": lambda shape, dtype=np.float32: block(np.zeros(shape, dtype)),
    "full": lambda shape, value, dtype=np.float32: block(np.full(shape, value, dtype)),
    "zeros_like": lambda x: block(np.zeros_like(x)),
    "arange": lambda start, end: block(np.arange(start, end, dtype=np.int64)),
    "reshape": lambda x, *shape, **_: np.reshape(x, shape[0] if len(shape) == 1 else shape),
    "permute": lambda x, *axes: np.transpose(x, axes[0] if len(axes) == 1 else axes),
    "trans": lambda x, *axes: np.transpose(x, *axes),
    "broadcast_to": lambda x, *shape: block(np.broadcast_to(x, shape[0] if len(shape) == 1 else shape)),
    "expand_dims": lambda x, axis: np.expand_dims(x, axis),
    "split": lambda x: (x[..., 0], x[..., 1]),
    "join": lambda a, b: block(np.stack((a, b), axis=-1)),
    "cat": lambda a, b, **_: block(np.concatenate((a, b))),
    "cast": lambda x, kind, **_: x.to(kind),
}
TYPES = {
    **dict.fromkeys(("float32", "bfloat16", "float16", "float8e4nv", "float8e5"), np.float32), "float64": np.float64, "constexpr": object,
    **{name: getattr(np, name) for name in ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")}, "int1": np.bool_,
}  # fmt: skip


def _steps(*bounds: Any, **_: Any) -> range:
    return range(*map(int, bounds))


class Kernel:
    """`kernel[grid](...)` runs the function once for every program of the grid."""

    place: tuple[int, ...] = (0, 0, 0)
    extent: tuple[int, ...] = (1, 1, 1)

    def __init__(self, function: Any) -> None:
        self.function = function
        self.parameters = set(function.__code__.co_varnames[: function.__code__.co_argcount])

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.function(*args, **kwargs)

    def __getitem__(self, grid: Any) -> Callable[..., None]:
        def launch(*args: Any, **kwargs: Any) -> None:
            extent = grid(kwargs) if callable(grid) else grid
            Kernel.extent = (*(extent if isinstance(extent, tuple | list) else (extent,)), 1, 1)[:3]
            given = [_argument(value) for value in args]
            named = {name: _argument(value) for name, value in kwargs.items() if name in self.parameters}
            with np.errstate(all="ignore"):
                for place in itertools.product(*map(range, map(int, Kernel.extent))):
                    Kernel.place = place
                    self.function(*given, **named)

        return launch


def _argument(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return Pointer(torch.as_strided(value.detach(), (_reach(value),), (1,)).numpy())
    return value


def _reach(tensor: Any) -> int:
    """How many places from its first value on a tensor spans."""
    return 1 + sum((size - 1) * step for size, step in zip(tensor.shape, tensor.stride(), strict=True)) if tensor.numel() else 0


def _decorated(*functions: Any, **_: Any) -> Any:
    return Kernel(functions[0]) if functions else Kernel


def _autotuned(*configs: Any, **options: Any) -> Any:
    """A kernel with the constants of the first configuration."""
    first = next(iter(options.get("configs") or configs[0]), None)

    def tuned(kernel: Any) -> Any:
        class Tuned(Kernel):
            def __getitem__(self, grid: Any) -> Any:
                constants = dict(first.kwargs if first is not None else {})
                launch = super().__getitem__((lambda meta: grid({**constants, **meta})) if callable(grid) else grid)
                return lambda *args, **kwargs: launch(*args, **{**constants, **kwargs})

        return Tuned(kernel.function)

    return tuned


class Config:
    """A configuration to tune over; its constants are kept."""

    def __init__(self, kwargs: Any, **_: Any) -> None:
        self.kwargs = kwargs


def install() -> None:
    """`import triton` finds this from now on."""
    language = types.ModuleType("triton.language")
    programs = {
        "program_id": lambda axis=0: block(np.int64(Kernel.place[axis])),
        "num_programs": lambda axis=0: block(np.int64(Kernel.extent[axis])),
    }
    hints = dict.fromkeys(("multiple_of", "max_contiguous", "assume", "static_assert", "debug_barrier"), lambda x=None, *_: x)
    known: dict[str, Any] = {
        **MATHEMATICS, **SHAPES, **TYPES, **programs, **hints, "load": load, "store": store, "cdiv": _cdiv, "range": _steps,
        "static_range": _steps,
    }  # fmt: skip
    vars(language).update(known, math=types.SimpleNamespace(**MATHEMATICS))
    libdevice = types.SimpleNamespace(**MATHEMATICS)
    vars(language).update(extra=types.SimpleNamespace(cuda=types.SimpleNamespace(libdevice=libdevice), libdevice=libdevice))
    descriptor = types.ModuleType("triton.tools.tensor_descriptor")
    vars(descriptor).update(TensorDescriptor=TensorDescriptor)
    top, tools = types.ModuleType("triton"), types.ModuleType("triton.tools")
    vars(tools).update(tensor_descriptor=descriptor, __path__=[])
    vars(top).update(
        jit=_decorated, autotune=_autotuned, heuristics=lambda *_, **__: lambda kernel: kernel, Config=Config, cdiv=_cdiv,
        next_power_of_2=lambda n: 1 << (int(n) - 1).bit_length(), language=language, tools=tools, __version__="3.4.0", __path__=[],
    )  # fmt: skip
    for module in (top, language, tools, descriptor):
        sys.modules[module.__name__] = module
