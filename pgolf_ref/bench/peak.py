"""The peak of a device in products of matrices, as it is measured there and then: no data sheet knows clocks, limits and neighbours."""

import time

import torch
from torch import Tensor

SIZES = {"cuda": (2048, 4096, 8192), "cpu": (256, 512, 1024)}
SECONDS = 0.5
"""Of measuring, for every size."""


def matmul_peak(device: torch.device, dtype: torch.dtype, seconds: float = SECONDS) -> float:
    """Floating-point operations per second of the fastest product of two square matrices: 2 n^3 for n x n."""
    return max(2 * size**3 / _fastest(size, device, dtype, seconds) for size in SIZES[device.type])


def _fastest(size: int, device: torch.device, dtype: torch.dtype, seconds: float) -> float:
    """Seconds of the fastest product; at least three are timed."""
    left, right = (torch.randn(size, size, device=device).to(dtype) for _ in range(2))
    out = torch.empty_like(left)
    for _ in range(2):
        _product(left, right, out)  # loads libraries and raises clocks
    took: list[float] = []
    until = time.perf_counter() + seconds
    while len(took) < 3 or time.perf_counter() < until:
        took.append(_product(left, right, out))
    return min(took)


def _product(left: Tensor, right: Tensor, out: Tensor) -> float:
    """Seconds of one product."""
    if left.is_cuda:
        torch.cuda.synchronize(left.device)
    began = time.perf_counter()
    torch.mm(left, right, out=out)
    if left.is_cuda:
        torch.cuda.synchronize(left.device)
    return time.perf_counter() - began
