"""The optimizers of a model: Muon for its matrices, Adam for everything else, by the parameter registry.

The matrices of some blocks may be Adam's, too.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from pgolf_ref.checkpoint import prefixed, under
from pgolf_ref.config import OptimConfig
from pgolf_ref.distributed import World
from pgolf_ref.optim.adam import Adam
from pgolf_ref.optim.decay import Decay
from pgolf_ref.optim.muon import Muon
from pgolf_ref.registry import Entry, Group, in_group, registry

MATRICES_OF_ADAM = "adam_matrix"
CLIP_EPS = 1e-6
"""Added to the norm that gradients are divided by, as torch.nn.utils.clip_grad_norm_ does."""


class Optimizers:
    """Everything that a training step changes; each parameter belongs to exactly one group."""

    def __init__(self, model: nn.Module, config: OptimConfig, world: World) -> None:
        self._config, self._world = config, world
        self._parameters = list(model.parameters())
        rates = {Group.EMBEDDING: config.embedding_lr, Group.HEAD: config.head_lr, Group.SCALAR: config.scalar_lr}
        decays = {Group.EMBEDDING: config.embedding_decay, Group.HEAD: config.head_decay, Group.SCALAR: config.scalar_decay}
        self._adams: dict[str, tuple[Adam, float]] = {
            group: (self._adam(in_group(model, group), Decay.of(decays[group], config.cautious_decay)), lr)
            for group, lr in rates.items()
        }
        entries = registry(model)
        matrices = [(entries[name], p) for name, p in model.named_parameters() if entries[name].group is Group.MATRIX]
        decay = Decay.of(config.matrix_decay, config.cautious_decay, config.matrix_l1)
        self._matrix_adam = self._adam([p for entry, p in matrices if trained_by_adam(entry, config)], decay)
        banked = [p for entry, p in matrices if not trained_by_adam(entry, config)]
        self._muon, known = Muon(banked, config, world), {id(p) for p in banked}
        self._others = [p for p in self._parameters if id(p) not in known]

    def step(self, lr_multiplier: float, momentum: float, decay_multiplier: float = 1.0) -> Tensor:
        """Sum the gradients over the ranks, clip and apply them; their norm before clipping. The arguments come from the schedule.

        Muon's gradients and updates travel while other parameters are summed or updated.
        """
        self._muon.exchange()
        self._world.sum_gradients(self._others)
        norm = self._clipped()
        self._muon.begin(momentum)
        for adam, lr in self._adams.values():
            adam.step(lr * lr_multiplier)
        self._matrix_adam.step(self._config.adam_matrix_lr * lr_multiplier, decay_multiplier)
        self._muon.finish(self._config.matrix_lr * lr_multiplier, decay_multiplier)
        return norm

    @torch.no_grad()
    def _clipped(self) -> Tensor:
        """Scale the gradients to a common norm of `clip_norm` at most, 0 for any; the norm before that, over the shares of all ranks."""
        shares, others = self._muon.gradients(), [p.grad for p in self._others if p.grad is not None]
        own, common = (nn.utils.get_total_norm(tensors).to(self._world.device, torch.float64) for tensors in (shares, others))
        norm = torch.hypot(self._world.sum(own.square()).sqrt(), common)
        if self._config.clip_norm > 0:
            scale = (self._config.clip_norm / (norm + CLIP_EPS)).clamp(max=1.0)
            for tensor in (*shares, *others):
                tensor.mul_(scale)
        return norm

    def zero_grad(self) -> None:
        for parameter in self._parameters:
            parameter.grad = None

    def state_dict(self) -> dict[str, Tensor]:
        """Of every optimizer, the same on all ranks; every rank has to ask."""
        state = prefixed("muon", self._muon.state_dict()) | prefixed(MATRICES_OF_ADAM, self._matrix_adam.state_dict())
        for group, (adam, _) in self._adams.items():
            state |= prefixed(group, adam.state_dict())
        return state

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        self._muon.load_state_dict(under("muon", state))
        self._matrix_adam.load_state_dict(under(MATRICES_OF_ADAM, state))
        for group, (adam, _) in self._adams.items():
            adam.load_state_dict(under(group, state))

    def _adam(self, parameters: list[nn.Parameter], decay: Decay | None) -> Adam:
        return Adam(parameters, (self._config.beta1, self._config.beta2), self._config.eps, decay)


def trained_by_adam(entry: Entry, config: OptimConfig) -> bool:
    """Whether a matrix is Adam's by the choice for its block."""
    chosen = entry.layer in config.adam_blocks and (not config.adam_roles or entry.role in config.adam_roles)
    return chosen and entry.group is Group.MATRIX
