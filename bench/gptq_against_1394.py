"""Our GPTQ beside that of PR 1394: the same weights, Hessian and scales, the error weighted by the Hessian, and seconds.

    git -C MIRROR show HEAD_OF_PR:records/.../train_gpt.py > FOLDER/train_gpt.py
    python bench/gptq_against_1394.py FOLDER/train_gpt.py > bench/gptq_against_1394.md

The script is decoded as data; of its program one function is executed. Both run on the CPU in float32 with one thread, in turn.
"""

from __future__ import annotations

import ast
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pgolf_check.submission.unwrap import unwrap
from pgolf_ref.quant.gptq import best_of_both, gptq, row_errors
from pgolf_ref.quant.scales import from_deviation

SHAPES = ((512, 512), (256, 512), (2048, 512), (512, 2048))
BITS, CLIP, REPEATS = 6, 12.85, 5
THEIRS = "gptq_quantize_weight"


def published(script: Path) -> Callable[..., tuple[Tensor, Tensor]]:
    """The one function of the script."""
    source = unwrap(script.name, script.read_bytes(), lambda path: None).text
    if source is None:
        raise SystemExit(f"{script} could not be decoded")
    found = next(node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef) and node.name == THEIRS)
    scope: dict[str, Any] = {"torch": torch, "Tensor": Tensor}
    exec(compile(ast.Module([found], []), str(script), "exec", dont_inherit=True), scope)
    return scope[THEIRS]


def case(rows: int, columns: int, seed: int) -> tuple[Tensor, Tensor]:
    """Weights with rows of unlike size, and the Hessian of inputs with a falling spectrum."""
    generator = torch.Generator().manual_seed(seed)
    weight = torch.randn(rows, columns, generator=generator) * torch.linspace(0.5, 2, rows)[:, None] * 0.05
    spectrum = torch.logspace(0, -2, columns)
    mixing = torch.linalg.qr(torch.randn(columns, columns, generator=generator)).Q
    inputs = torch.randn(4 * columns, columns, generator=generator) * spectrum @ mixing
    return weight, inputs.mT @ inputs / len(inputs)


def seconds(work: Callable[[], Any]) -> float:
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def error(weight: Tensor, codes: Tensor, scales: Tensor, hessian: Tensor) -> float:
    wide = (t.double() for t in (weight[None], codes[None], scales[None], hessian[None]))
    return float(row_errors(*wide).sum())


def main() -> None:
    torch.set_num_threads(1)
    theirs = published(Path(sys.argv[1]))
    print(
        "# GPTQ beside PR 1394\n\nCPU, float32, one thread, machine under other load; median of",
        REPEATS,
        "runs in turn, int6, SDClip 12.85.",
    )
    print(
        "Error: sum over rows of e H e^T relative to that of PR 1394. `guarded` also computes rounding to nearest, and keeps the better per row.\n"
    )
    print("| rows x columns | error | error, guarded | PR 1394, s | ours, s | times as fast | guarded, s |")
    print("|---|---|---|---|---|---|---|")
    for rows, columns in SHAPES:
        weight, hessian = case(rows, columns, 0)
        scales = from_deviation(weight, BITS, CLIP)

        def ours(weight: Tensor = weight, hessian: Tensor = hessian, scales: Tensor = scales) -> Tensor:
            return gptq(weight[None], hessian[None], scales[None], BITS)[0]

        def guarded(weight: Tensor = weight, hessian: Tensor = hessian, scales: Tensor = scales) -> Tensor:
            return best_of_both(weight[None], hessian[None], scales[None], BITS)[0]

        def other(weight: Tensor = weight, hessian: Tensor = hessian) -> tuple[Tensor, Tensor]:
            return theirs(weight, hessian, clip_sigmas=CLIP, clip_range=2 ** (BITS - 1) - 1)

        codes, their_scales = other()
        assert torch.equal(their_scales.float(), scales), "the scales are the same"
        base = error(weight, codes, scales, hessian)
        relative = [error(weight, work(), scales, hessian) / base for work in (ours, guarded)]
        times = zip(*((seconds(other), seconds(ours), seconds(guarded)) for _ in range(REPEATS)), strict=True)
        t, o, g = (statistics.median(column) for column in times)
        print(
            f"| {rows} x {columns} | {relative[0]:.6f} | {relative[1]:.6f} | {t:.3f} | {o:.3f} | {t / o:.2f} | {g:.3f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
