"""Stand-ins for what a CPU build of torch lacks. Runs in the sandbox alone."""

from __future__ import annotations

import contextlib
import sys
import threading
import types
from collections.abc import Callable, Iterator
from typing import Any

import programs  # type: ignore[import-not-found]  # a top-level module of the sandbox
import torch
import torch._dynamo  # before torch.cuda is patched: it refuses to list one function twice
import torch.distributed as dist
import tracing  # type: ignore[import-not-found]  # likewise
from torch.overrides import TorchFunctionMode

EMBEDDING_STD = 0.02
H100_BYTES = 80 * 1024**3
ATTENTION_MODULES = ("flash_attn_interface", "flash_attn", "flash_attn.flash_attn_interface", "flash_attn_3")


class OnCpu(TorchFunctionMode):
    """Every device "cuda" in the arguments of a torch function is the CPU; a trace, if there is one, follows the calls."""

    def __init__(self, trace: Any = None) -> None:
        super().__init__()
        self._trace = trace

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        named = {key: on_cpu(value) for key, value in (kwargs or {}).items() if key not in ("pin_memory", "fused")}
        placed = tuple(map(on_cpu, args))
        if self._trace is None:
            return func(*placed, **named)
        known = self._trace.before(func, placed, named)
        result = func(*placed, **named)
        self._trace.after(func, placed, named, result, known)
        return result


def on_cpu(value: Any) -> Any:
    """A device or its name: the CPU in the place of CUDA; anything else as it is."""
    if isinstance(value, torch.device) and value.type == "cuda":
        return torch.device("cpu")
    return "cpu" if isinstance(value, str) and value.split(":")[0] == "cuda" else value


@contextlib.contextmanager
def installed() -> Iterator[None]:
    """All stand-ins, for as long as the script runs."""
    _precision()
    _devices()
    _compilation()
    _processes()
    programs.install()
    _kernels()
    _embeddings()
    trace = tracing.begin()
    _threads(trace)
    with OnCpu(trace):
        yield


def _embeddings() -> None:
    """Where a script leaves its embeddings as torch draws them, tied logits would be far from 0, and no leak would show."""

    def small(self: torch.nn.Embedding) -> None:
        torch.nn.init.normal_(self.weight, std=EMBEDDING_STD)

    torch.nn.Embedding.reset_parameters = small  # type: ignore[method-assign]


def _threads(trace: Any) -> None:
    """A function mode holds for one thread alone."""
    start = threading.Thread._bootstrap_inner  # type: ignore[attr-defined]

    def on_cpu_too(self: threading.Thread) -> None:
        with OnCpu(trace):
            start(self)

    threading.Thread._bootstrap_inner = on_cpu_too  # type: ignore[attr-defined]


def _precision() -> None:
    for table in (torch.storage._dtype_to_storage_type_map, torch.storage._storage_type_to_dtype_map):
        table()  # kept from now on: made later, it would take the names of half precisions for those of float32
    torch.bfloat16 = torch.float16 = torch.half = torch.float32
    for kind in (torch.Tensor, torch.nn.Module):
        kind.bfloat16 = kind.half = kind.float  # type: ignore[method-assign]

    def no_autocast(*_: Any, **__: Any) -> Any:
        return contextlib.nullcontext()

    torch.autocast = torch.amp.autocast = torch.cuda.amp.autocast = no_autocast  # type: ignore[assignment,misc]


class _Stub:
    """Any attribute, call or context: streams, events and graphs that do nothing."""

    def __init__(self, *_: Any, **__: Any) -> None: ...
    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("__"):
            raise AttributeError(name)
        return lambda *_, **__: 0.0 if name == "elapsed_time" else None

    def __enter__(self) -> _Stub:
        return self

    def __exit__(self, *_: object) -> None: ...


_PLAIN_GENERATOR = torch.Generator


class _OfGenerators(type):
    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, _PLAIN_GENERATOR)


class _Generator(metaclass=_OfGenerators):
    """A class still: annotations of torch name it."""

    def __new__(cls, device: Any = "cpu") -> Any:
        return _PLAIN_GENERATOR(on_cpu(device))


def _devices() -> None:
    cuda: Any = torch.cuda
    properties = types.SimpleNamespace(
        name="NVIDIA H100 80GB HBM3", total_memory=H100_BYTES, major=9, minor=0, multi_processor_count=132
    )
    answers = {
        "is_available": True, "device_count": 1, "current_device": 0, "get_device_name": properties.name, "get_device_capability": (9, 0),
        "get_device_properties": properties, "is_bf16_supported": True, "mem_get_info": (H100_BYTES, H100_BYTES),
        **dict.fromkeys(("max_memory_allocated", "max_memory_reserved", "memory_allocated", "memory_reserved"), 0),
        **dict.fromkeys(("synchronize", "set_device", "empty_cache", "reset_peak_memory_stats", "manual_seed", "manual_seed_all", "set_stream")),
        **{name: _Stub() for name in ("current_stream", "default_stream", "stream", "device", "graph")},
    }  # fmt: skip
    for name, answer in answers.items():
        setattr(cuda, name, lambda *_, answer=answer, **__: answer)
    for name in ("Stream", "Event", "CUDAGraph"):
        setattr(cuda, name, _Stub)
    same: Any = lambda self, *_, **__: self  # noqa: E731
    torch.Tensor.cuda = torch.Tensor.pin_memory = torch.nn.Module.cuda = same  # type: ignore[method-assign]
    torch.Generator = _Generator  # type: ignore[misc]
    for kind in (torch.optim.Adam, torch.optim.AdamW, torch.optim.SGD):
        kind.__init__ = _not_fused(kind.__init__)  # type: ignore[method-assign]


def _not_fused(make: Callable[..., None]) -> Callable[..., None]:
    def made(self: Any, *args: Any, **kwargs: Any) -> None:
        make(self, *args, **{key: value for key, value in kwargs.items() if key != "fused"})

    return made


def _compilation() -> None:
    def compiled(model: Any = None, *_: Any, **__: Any) -> Any:
        return model if model is not None else (lambda function: function)

    torch.compile = compiled
    torch._dynamo.reset = torch.compiler.reset = lambda: None  # would import what Triton's real compiler needs
    torch.compiler.cudagraph_mark_step_begin = lambda: None  # likewise
    # Tables cached under inference mode break later backward passes once compile is the identity.
    torch.inference_mode = _plain_mode  # type: ignore[assignment,misc]


def _plain_mode(mode: Any = True) -> Any:
    """Inference mode by gradients alone: off, or on again with `inference_mode(False)`; a function may be given in its place."""
    if callable(mode):
        return torch.no_grad()(mode)
    return torch.no_grad() if mode else torch.enable_grad()


class Alone(torch.nn.Module):
    """DistributedDataParallel of one process."""

    def __init__(self, module: torch.nn.Module, *_: Any, **__: Any) -> None:
        super().__init__()
        self.module = module
        self.require_backward_grad_sync = True

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        return self.module(*args, **kwargs)

    def no_sync(self) -> Any:
        """Gradients of one process need no averaging."""
        return contextlib.nullcontext()


def _processes() -> None:
    from torch.testing._internal.distributed.fake_pg import FakeStore

    start = dist.init_process_group

    def alone(*_: Any, **__: Any) -> None:
        start(backend="fake", store=FakeStore(), rank=0, world_size=1)

    dist.init_process_group = alone
    torch.nn.parallel.DistributedDataParallel = Alone  # type: ignore[misc,assignment]


def _kernels() -> None:
    import attention  # type: ignore[import-not-found]  # a top-level module of the sandbox
    import triton_on_cpu  # type: ignore[import-not-found]  # likewise

    triton_on_cpu.install()
    for name in ("flash", "math", "mem_efficient", "cudnn"):
        setattr(torch.backends.cuda, f"enable_{name}_sdp", lambda *_: None)  # one without a fused kernel may shut the only other
    any_kernel: Any = lambda *_, **__: contextlib.nullcontext()  # noqa: E731
    torch.nn.attention.sdpa_kernel = torch.backends.cuda.sdp_kernel = any_kernel
    torch.Tensor.is_cuda = True
    for name in ATTENTION_MODULES:
        module = types.ModuleType(name)
        vars(module).update(
            flash_attn_func=attention.batched, flash_attn_varlen_func=attention.packed, __version__="3.0.0", __path__=[]
        )
        sys.modules[name] = module
