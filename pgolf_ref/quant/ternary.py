"""Ternary weights: codes -1, 0 and 1 with one float16 scale per group of columns, packed without loss.

Invariants: the latent weights that `latent` restores ternarise to the codes and scales that they are made from; unpacking takes
exactly the bytes that packing makes.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

PER_BYTE = 5  # 3^5 = 243 values fit in a byte
_POWERS = np.array([1, 3, 9, 27, 81], dtype=np.uint8)


def ternarise(weight: Tensor, group: int) -> tuple[Tensor, Tensor]:
    """(rows, columns) -> codes (rows, columns) in -1, 0, 1 and scales (rows, groups) of the same dtype.

    The scale is the mean magnitude of the group, the code round(w / scale) clipped to one. The last group may be shorter.
    """
    grouped, sizes = _grouped(weight, group)
    scales = grouped.abs().sum(dim=2) / sizes
    smallest = torch.finfo(weight.dtype).tiny
    codes = (grouped / scales.clamp(min=smallest).unsqueeze(2)).round().clamp(-1, 1)
    return codes.flatten(1)[:, : weight.size(1)], scales


def expand(codes: Tensor, scales: Tensor, group: int) -> Tensor:
    """The effective weights: codes * scale of their group."""
    return codes * scales.repeat_interleave(group, dim=1)[:, : codes.size(1)]


def straight_through(weight: Tensor, group: int) -> Tensor:
    """The effective ternary weights; their gradient is that of the weights themselves."""
    with torch.no_grad():
        effective = expand(*ternarise(weight, group), group)
    return weight + (effective - weight).detach()


def latent(codes: Tensor, scales: Tensor, group: int) -> Tensor:
    """Weights whose mean magnitude in each group is the scale, as a forward pass ternarises again: scales / mean |code|.

    Without it every zero among the codes would shrink the scale of the second time.
    """
    grouped, sizes = _grouped(codes, group)
    density = grouped.abs().sum(dim=2) / sizes
    corrected = torch.where(density > 0, scales / density.clamp(min=1e-8), 0)
    return expand(codes, corrected, group)


def pack_base3(codes: NDArray[np.int8]) -> bytes:
    """Five codes per byte."""
    digits = (codes.reshape(-1) + 1).astype(np.uint8)
    padded = np.pad(digits, (0, -len(digits) % PER_BYTE))
    return (padded.reshape(-1, PER_BYTE) * _POWERS).sum(axis=1, dtype=np.uint8).tobytes()


def unpack_base3(data: bytes, count: int) -> NDArray[np.int8]:
    values = np.frombuffer(data, dtype=np.uint8)
    if len(values) != -(-count // PER_BYTE) or (len(values) and values.max() >= 3**PER_BYTE):
        raise ValueError(f"{len(data)} bytes do not hold {count} base-3 codes")
    digits = values[:, None] // _POWERS % 3
    return (digits.reshape(-1)[:count].astype(np.int8) - 1).astype(np.int8)


def pack_bitmask(codes: NDArray[np.int8]) -> bytes:
    """One bit per code: is it not zero? Then one bit per code that is not: is it positive?"""
    flat = codes.reshape(-1)
    return np.packbits(flat != 0).tobytes() + np.packbits(flat[flat != 0] > 0).tobytes()


def unpack_bitmask(data: bytes, count: int) -> NDArray[np.int8]:
    mask_bytes = -(-count // 8)
    present = np.unpackbits(np.frombuffer(data[:mask_bytes], dtype=np.uint8))
    nonzero = present[:count].astype(bool)
    signs = np.unpackbits(np.frombuffer(data[mask_bytes:], dtype=np.uint8))
    if len(present) < count or len(signs) != -(-int(nonzero.sum()) // 8) * 8:
        raise ValueError(f"{len(data)} bytes do not hold {count} masked codes")
    codes = np.zeros(count, dtype=np.int8)
    codes[nonzero] = np.where(signs[: int(nonzero.sum())], 1, -1)
    return codes


PACKERS = {"base3": (pack_base3, unpack_base3), "bitmask": (pack_bitmask, unpack_bitmask)}


def pack_smallest(codes: NDArray[np.int8]) -> tuple[str, bytes]:
    """The packing with fewer bytes: the bitmask where more than about three codes in five are zero."""
    packed = {name: pack(codes) for name, (pack, _) in PACKERS.items()}
    best = min(packed, key=lambda name: len(packed[name]))
    return best, packed[best]


def _grouped(weight: Tensor, group: int) -> tuple[Tensor, Tensor]:
    """(rows, groups, group), filled up with zeros, and the number of real columns in each group."""
    rows, columns = weight.shape
    padded = F.pad(weight, (0, -columns % group)).view(rows, -1, group)
    sizes = torch.full((padded.size(1),), group, dtype=weight.dtype, device=weight.device)
    sizes[-1] = columns - group * (padded.size(1) - 1)
    return padded, sizes
