"""The optimizers of a model: Muon for its matrices, Adam for everything else, by the parameter registry."""

from collections.abc import Mapping

from torch import Tensor, nn

from pgolf_ref.checkpoint import prefixed, under
from pgolf_ref.config import OptimConfig
from pgolf_ref.distributed import World
from pgolf_ref.optim.adam import Adam
from pgolf_ref.optim.decay import Decay
from pgolf_ref.optim.muon import Muon
from pgolf_ref.registry import Group, in_group


class Optimizers:
    """Everything that a training step changes; each parameter belongs to exactly one group."""

    def __init__(self, model: nn.Module, config: OptimConfig, world: World) -> None:
        self._config = config
        self._parameters = list(model.parameters())
        rates = {Group.EMBEDDING: config.embedding_lr, Group.HEAD: config.head_lr, Group.SCALAR: config.scalar_lr}
        betas = (config.beta1, config.beta2)
        decays = {Group.EMBEDDING: config.embedding_decay, Group.HEAD: config.head_decay, Group.SCALAR: config.scalar_decay}
        self._adams = {
            group: (Adam(in_group(model, group), betas, config.eps, Decay.of(decays[group], config.cautious_decay)), lr)
            for group, lr in rates.items()
        }
        self._muon = Muon(in_group(model, Group.MATRIX), config, world)

    def step(self, lr_multiplier: float, momentum: float, decay_multiplier: float = 1.0) -> None:
        """Apply the gradients; the arguments come from the schedule."""
        if self._config.clip_norm > 0:
            nn.utils.clip_grad_norm_(self._parameters, self._config.clip_norm)
        for adam, lr in self._adams.values():
            adam.step(lr * lr_multiplier)
        self._muon.step(self._config.matrix_lr * lr_multiplier, momentum, decay_multiplier)

    def zero_grad(self) -> None:
        for parameter in self._parameters:
            parameter.grad = None

    def state_dict(self) -> dict[str, Tensor]:
        """Of every optimizer, the same on all ranks; every rank has to ask."""
        state = prefixed("muon", self._muon.state_dict())
        for group, (adam, _) in self._adams.items():
            state |= prefixed(group, adam.state_dict())
        return state

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        self._muon.load_state_dict(under("muon", state))
        for group, (adam, _) in self._adams.items():
            adam.load_state_dict(under(group, state))
