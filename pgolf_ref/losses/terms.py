"""The loss of a target given the logits of its position: negative log-likelihood, and forms that put other weight on hard ones."""

import torch
from torch import Tensor

from pgolf_ref.config.losses import LossConfig


def target_losses(logits: Tensor, targets: Tensor, config: LossConfig, focal: Tensor) -> Tensor:
    """Logits (n, V) and targets (n,) -> (n,)

    factor * ((1 - smoothing) nll + smoothing * mean over v of -log p_v) + z_loss * (log sum exp z)^2, where
    factor = (1 - p)^focal (Lin et al. 2017) * (1 + entropy)^mile (Su et al. 2024). `focal` is the exponent at this time.
    """
    partition = torch.logsumexp(logits, dim=1)
    nll = partition - logits.gather(1, targets.unsqueeze(1)).squeeze(1)
    loss = nll
    if config.label_smoothing:
        loss = torch.lerp(nll, partition - logits.mean(dim=1), config.label_smoothing)
    if config.focal:
        loss = loss * _power(-torch.expm1(-nll), focal)
    if config.mile:
        p = torch.softmax(logits, dim=1)
        entropy = partition - (p * logits).sum(dim=1)
        loss = loss * (1 + entropy) ** config.mile
    if config.z_loss:
        loss = loss + config.z_loss * partition.square()
    return loss


def shapes_losses(config: LossConfig) -> bool:
    """Whether the loss of a target is anything but its negative log-likelihood."""
    return bool(config.label_smoothing or config.focal or config.mile or config.z_loss)


def _power(base: Tensor, exponent: Tensor) -> Tensor:
    """base^exponent for base in [0, 1], with a finite gradient at 0."""
    smallest = torch.finfo(base.dtype).tiny
    return (base.clamp(min=smallest).log() * exponent).exp()
