"""Runs a public training script, one step at a time, at the pace of the parent process (lockstep.py).

    python -m pgolf_ref.bench.script SCRIPT

On a machine with a GPU the script runs as it is, but for FlashAttention 3 where it is not installed. On a CPU its CUDA calls are
stubbed: `torch` is a copy of the module whose device, compile, autocast, cuda and bfloat16 are replaced, so that its own operations
cost what they cost, in float32. The script is executed in memory and never stored. BENCH_STEP is a regular expression for the line
that it prints after a step, with the training loss as its first group, BENCH_LAST one for the line that ends the run, with the
validation loss, and BENCH_THREADS the number of threads.
"""

import builtins
import contextlib
import os
import re
import subprocess
import sys
import types
from pathlib import Path
from typing import Any

import torch

from pgolf_ref.bench.lockstep import Pace

STEP = r"(?:step:)?\d+/\d+ train_loss: ?(\S+)"
"""What the public scripts print after a step."""


def torch_without_cuda() -> types.ModuleType:
    """A copy of the torch module in which "cuda" is this CPU and bfloat16 is float32."""
    cpu = torch.device("cpu")
    copy = types.ModuleType("torch")
    copy.__dict__.update(torch.__dict__)
    cuda = types.SimpleNamespace(
        is_available=lambda: True,
        set_device=lambda device: None,
        synchronize=lambda: None,
        manual_seed_all=lambda seed: None,
        max_memory_allocated=lambda: 0,
        max_memory_reserved=lambda: 0,
    )
    replaced = {
        "cuda": cuda,
        "device": lambda *args: cpu,
        "compile": lambda function, **options: function,
        "autocast": lambda **options: contextlib.nullcontext(),
        "inference_mode": torch.no_grad,  # rotary tables cached in inference mode could not be used in training
        "bfloat16": torch.float32,
    }
    copy.__dict__.update(replaced)
    torch.Tensor.bfloat16 = torch.Tensor.float  # type: ignore[method-assign]
    torch.nn.Module.bfloat16 = lambda module: module  # type: ignore[assignment,method-assign]
    return copy


def flash_attention(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, causal: bool = False) -> torch.Tensor:
    """`flash_attn_func` by the attention of torch. Shapes (batch, positions, heads, channels)."""
    rows = (x.transpose(1, 2) for x in (q, k, v))
    attend = torch.nn.functional.scaled_dot_product_attention
    return attend(*rows, is_causal=causal, enable_gqa=q.shape[2] != k.shape[2]).transpose(1, 2)


def builtins_with(stub: types.ModuleType) -> dict[str, Any]:
    """Builtins whose `import torch` gives the stub; imports made by torch itself are not touched."""

    def stubbed_import(name: str, *rest: Any) -> Any:
        module = builtins.__import__(name, *rest)
        return stub if module is torch else module

    return vars(builtins) | {"__import__": stubbed_import}


def run(script: Path) -> None:
    """Execute the script until the line with its final validation loss, or its end."""
    pace, step, last = Pace(), re.compile(os.environ.get("BENCH_STEP", STEP)), re.compile(os.environ.get("BENCH_LAST", r"(?!)"))

    def paced_print(message: object = "", *rest: object, **options: Any) -> None:
        text = str(message)
        if "file" in options:
            return
        if done := step.match(text):
            pace.step_done(float(done[1]) if done.groups() else None)
        elif ended := last.match(text):
            pace.finish(float(ended[1]))
            raise SystemExit(0)

    if "BENCH_THREADS" in os.environ:
        torch.set_num_threads(int(os.environ["BENCH_THREADS"]))
    scope: dict[str, Any] = {"__name__": "__main__", "__file__": str(script), "print": paced_print}
    _provide_attention()
    if not torch.cuda.is_available():
        subprocess.run = lambda *args, **options: types.SimpleNamespace(stdout="")  # type: ignore[assignment]  # nvidia-smi
        scope["__builtins__"] = builtins_with(torch_without_cuda())
    code = compile(script.read_text(encoding="utf-8"), str(script), "exec", dont_inherit=True)
    pace.begin()
    exec(code, scope)


def _provide_attention() -> None:
    """FlashAttention 3 by the attention of torch, where its package is missing."""
    try:
        __import__("flash_attn_interface")
    except ImportError:
        print("flash_attn_interface is not installed: the attention of torch stands for it", file=sys.stderr)
        sys.modules["flash_attn_interface"] = types.SimpleNamespace(flash_attn_func=flash_attention)  # type: ignore[assignment]


if __name__ == "__main__":
    run(Path(sys.argv[1]))
