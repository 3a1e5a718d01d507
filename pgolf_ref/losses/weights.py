"""How much each target counts: by what kind of token it is, where it stands, and when in the run.

Invariant: the loss is the sum of weight * loss over the number of targets, not over the sum of the weights, so that gradients do
not depend on how a batch is cut into slots.
"""

import torch
from torch import Tensor

from pgolf_ref.config.losses import LossConfig
from pgolf_ref.model.facts import Facts


def target_weights(targets: Tensor, config: LossConfig, facts: Facts, fraction: Tensor) -> Tensor:
    """int64 (B, T) and the fraction of the run that is over, a scalar -> weights (B, T) of its dtype"""
    weights = torch.ones(targets.shape, dtype=fraction.dtype, device=targets.device)
    if _by_kind(config):
        starts = facts.starts_word(targets)
        weights = torch.where(starts, _word_start_weight(config, fraction), config.continuation_weight * weights)
    if config.boundary_boost:
        weights = weights * (1 + config.boundary_boost * _at_word_boundary(facts.starts_word(targets)))
    if config.position_ramp != 1:
        weights = weights * torch.linspace(1, config.position_ramp, targets.size(1), dtype=fraction.dtype, device=targets.device)
    if config.ignored_target >= 0:
        weights = weights * (targets != config.ignored_target)
    return weights


def weights_targets(config: LossConfig) -> bool:
    """Whether any target counts other than another."""
    return _by_kind(config) or bool(config.boundary_boost) or config.position_ramp != 1 or config.ignored_target >= 0


def _by_kind(config: LossConfig) -> bool:
    return (config.word_start_weight, config.continuation_weight, config.word_start_ramp) != (1, 1, 0)


def _word_start_weight(config: LossConfig, fraction: Tensor) -> Tensor:
    last = config.word_start_weight
    if not config.word_start_ramp:
        return torch.full_like(fraction, last)
    return torch.lerp(
        torch.full_like(fraction, config.word_start_weight_initial),
        torch.full_like(fraction, last),
        (fraction / config.word_start_ramp).clamp(max=1),
    )


def _at_word_boundary(starts: Tensor) -> Tensor:
    """Targets that begin a word, or end one: the next target begins one. What follows a row is not known and begins nothing."""
    ends = torch.zeros_like(starts)
    ends[:, :-1] = starts[:, 1:]
    return starts | ends
