"""Runs an official training script on a CPU in float32, one step at a time, at the pace of the parent process.

The script is read from the path given, executed in memory and never stored. Its CUDA calls are stubbed: `torch` is a copy of
the module whose device, compile, autocast, cuda and bfloat16 are replaced, so that its own operations cost what they cost.
Every finished step is announced on stdout (see lockstep.py); the run ends with the validation loss after the last step.
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
from lockstep import Pace


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
    """Execute the script until the line with its final validation loss."""
    pace, step, last = Pace(), re.compile(os.environ["BENCH_STEP"]), re.compile(os.environ["BENCH_LAST"])
    sys.modules["flash_attn_interface"] = types.SimpleNamespace(flash_attn_func=flash_attention)  # type: ignore[assignment]

    def paced_print(message: object = "", *rest: object, **options: Any) -> None:
        text = str(message)
        if "file" in options:
            return
        if step.match(text):
            pace.step_done()
        elif ended := last.match(text):
            pace.finish(float(ended[1]))
            raise SystemExit(0)

    subprocess.run = lambda *args, **options: types.SimpleNamespace(stdout="")  # type: ignore[assignment]  # nvidia-smi
    torch.set_num_threads(int(os.environ["BENCH_THREADS"]))
    code = compile(script.read_text(encoding="utf-8"), str(script), "exec", dont_inherit=True)
    scope = {
        "__name__": "__main__",
        "__file__": str(script),
        "__builtins__": builtins_with(torch_without_cuda()),
        "print": paced_print,
    }
    pace.begin()
    exec(code, scope)


if __name__ == "__main__":
    run(Path(sys.argv[1]))
