"""Bounds on the logits: smooth functions with slope 1 at zero that level off at a cap.

Invariant: all are computed in float32 or better. tanh(x) is written 2 sigmoid(2x) - 1, which is several times faster on a CPU.
"""

import torch
from torch import Tensor


def softcapped(raw: Tensor, softcap: float, form: str = "tanh") -> Tensor:
    """Raw logits u -> capped logits.

    * tanh: c tanh(u / c), in (-c, c)
    * sigmoid: 2 c sigmoid(2u / c), in (0, 2c): the same distribution, as it differs by the constant c
    * poly5: c clip(x - x^3 / 3 + x^5 / 15, -1, 1) with x = clip(u / c, -2, 2)
    """
    wide = raw.to(torch.promote_types(raw.dtype, torch.float32))
    if form == "poly5":
        x = (wide / softcap).clamp(-2, 2)
        square = x * x
        return (x * (1 - square / 3 + square * square / 15)).clamp(-1, 1) * softcap
    capped = (wide * (2 / softcap)).sigmoid().mul(2 * softcap)
    return capped if form == "sigmoid" else capped.sub(softcap)
