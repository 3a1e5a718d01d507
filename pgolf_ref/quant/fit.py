"""An artifact that fits into a number of bytes: the least change of the codes for which it does.

ones    the fewest codes of +-1 become zero, those first whose loss is least (selective pruning of PR 1019)
bits    the fewest matrices of blocks have a bit fewer, those first whose mean squared gradient is least (`guidance.py`)
clips   the largest codes stand for more standard deviations, by the smallest factor, so that codes repeat more (of SDClip)

Sizes are those of whole artifacts as they are written. Invariants: what fits is left as it is; what cannot be made to fit, too.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache

import torch
from torch import Tensor

from pgolf_ref.quant.matrices import Quantised

WIDEST, PRECISION = 4.0, 1 / 256  # of the factor of clips

Codes = Mapping[str, Quantised]


def fit_ones(codes: Codes, write: Callable[[Codes], bytes], room: int) -> bytes:
    """The artifact with as few codes pruned as possible."""
    order = _cheapest_first(codes)
    made = cache(lambda count: write(without(codes, order[:count])))
    return smallest(made, len(order), len(order) // 16, room) or made(0)


def fit_clips(quantise: Callable[[float], Codes], write: Callable[[Codes], bytes], room: int) -> bytes:
    """The artifact with clips times as small a factor as possible, in steps of PRECISION."""
    made = cache(lambda step: write(quantise(1 + step * PRECISION)))
    return smallest(made, round((WIDEST - 1) / PRECISION), 16, room) or made(0)


def fit_bits(write: Callable[[int], bytes], units: int, room: int) -> bytes:
    """The artifact with a bit fewer in as few units as possible."""
    made = cache(write)
    return smallest(made, units, max(1, units // 16), room) or made(0)


def smallest(made: Callable[[int], bytes], most: int, first: int, room: int) -> bytes | None:
    """What `made` gives for the smallest number from 0 to `most` for which it fits, if sizes fall; None if it never does.

    An artifact takes minutes, so few are made: after 0 and `first`, in turns where the line between the known sizes meets the room,
    and half way.
    """
    low, high, best = 0, 0, made(0)
    over = len(best) - room
    while len(best) > room:
        if high == most:
            return None
        low, over, high = high, len(best) - room, min(max(first, 16 * high, 1), most)
        best = made(high)
    by_line = True
    while high - low > 1:
        share = over / (over + room - len(best)) if by_line else 0.5
        middle = min(max(low + round(share * (high - low)), low + 1), high - 1)
        data, by_line = made(middle), not by_line
        if len(data) <= room:
            high, best = middle, data
        else:
            low, over = middle, len(data) - room
    return best


def without(codes: Codes, places: Tensor) -> dict[str, Quantised]:
    """The codes with zeros at places of `_cheapest_first`."""
    found, start = {}, 0
    for name, matrix in codes.items():
        mine = places[(places >= start) & (places < start + matrix.codes.numel())] - start
        start += matrix.codes.numel()
        flat = matrix.codes.flatten().clone()
        flat[mine] = 0
        found[name] = replace(matrix, codes=flat.view(matrix.codes.shape))
    return found


def _cheapest_first(codes: Codes) -> Tensor:
    """Places of all codes of +-1 in all matrices, one after the other, by the square of what they stand for."""
    places, costs, start = [], [], 0
    for matrix in codes.values():
        unit = matrix.scales.to(torch.float32).unsqueeze(1).expand(matrix.codes.shape)
        if matrix.columns is not None:
            unit = unit * matrix.columns.to(torch.float32)
        ones = (matrix.codes.abs() == 1).flatten().nonzero().flatten()
        places.append(ones + start)
        costs.append(unit.flatten()[ones].square())
        start += matrix.codes.numel()
    if not places:
        return torch.zeros(0, dtype=torch.int64)
    return torch.cat(places)[torch.cat(costs).argsort(stable=True)]
