"""The mean cross-entropy of softcapped logits, computed together with its gradient, a few rows at a time.

Invariants: equal to cross_entropy(softcapped(hidden @ weight.T), targets) in value and gradient; the logits of a whole batch
never exist at once.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

# Elements of a block of logits: a CPU wants them to stay in a core's cache, a GPU wants few launches.
CPU_BLOCK = 2**18
GPU_BLOCK = 2**28


def softcapped_cross_entropy(
    hidden: Tensor, weight: Tensor, targets: Tensor, softcap: float, row_weights: Tensor | None = None
) -> Tensor:
    """hidden (N, d), weight (V, d), targets int64 (N,) -> mean over N of row weight (1) * nats, in float32 or better"""
    loss: Tensor = _SoftcappedCrossEntropy.apply(hidden, weight, targets, softcap, row_weights)
    return loss


class _SoftcappedCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, hidden: Tensor, weight: Tensor, targets: Tensor, softcap: float, row_weights: Tensor | None) -> Tensor:
        wants_gradient = any(ctx.needs_input_grad)
        rows = max(1, (GPU_BLOCK if hidden.is_cuda else CPU_BLOCK) // weight.size(0))
        d_hidden, d_weight = torch.empty_like(hidden), torch.zeros_like(weight)
        total = torch.zeros((), dtype=torch.promote_types(hidden.dtype, torch.float32), device=hidden.device)
        for start in range(0, hidden.size(0), rows):
            part = hidden[start : start + rows]
            losses, d_raw = _block(part @ weight.mT, targets[start : start + rows], softcap, wants_gradient)
            counted = None if row_weights is None else row_weights[start : start + rows].to(losses.dtype)
            total += losses.sum() if counted is None else losses @ counted
            if wants_gradient:
                d_raw = d_raw if counted is None else d_raw * counted.unsqueeze(1)
                d_raw = d_raw.to(hidden.dtype)
                torch.mm(d_raw, weight, out=d_hidden[start : start + rows])
                d_weight.addmm_(d_raw.mT, part)
        ctx.save_for_backward(d_hidden, d_weight)
        return total / hidden.size(0)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_loss: Tensor) -> tuple[Tensor, Tensor, None, None, None]:
        d_hidden, d_weight = ctx.saved_tensors
        factor = (d_loss / d_hidden.size(0)).to(d_hidden.dtype)
        return d_hidden * factor, d_weight * factor, None, None, None


def _block(raw: Tensor, targets: Tensor, softcap: float, wants_gradient: bool) -> tuple[Tensor, Tensor]:
    """Raw logits u (n, V) -> losses (n,), and their gradient (n, V) with respect to u. May overwrite u.

    With s = sigmoid(2u / c) the logits are z = 2c s, up to a constant. The loss is log sum exp(z) - z_target, where the first
    term is max z - log max softmax(z), and the gradient is (softmax(z) - onehot) 4 s (1 - s).
    """
    s = raw.to(torch.promote_types(raw.dtype, torch.float32)).mul_(2 / softcap).sigmoid_()
    index = targets.unsqueeze(1)
    p = torch.softmax(s * (2 * softcap), dim=1)
    distance = s.amax(dim=1) - s.gather(1, index).squeeze(1)
    losses = 2 * softcap * distance - p.amax(dim=1).log()
    if not wants_gradient:
        return losses, raw
    p.scatter_add_(1, index, p.new_full((1, 1), -1.0).expand_as(index))
    return losses, p.mul_(s.addcmul_(s, s, value=-1)).mul_(4)
