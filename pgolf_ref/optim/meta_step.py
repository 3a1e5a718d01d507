"""Meta-learning in the training loop: on some steps, gradients or a move of the matrices beside those of the loss.

Invariants: what a step adds is a mean over all slots, so it does not depend on the number of ranks; multiples of the inner rate are
equal on all ranks and are no part of the model.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from pgolf_ref.config import Config
from pgolf_ref.curriculum import Stage, cut
from pgolf_ref.data.loader import Loader
from pgolf_ref.distributed import World
from pgolf_ref.model.gpt import GPT
from pgolf_ref.optim.meta import Loss, fomaml, reptile, split
from pgolf_ref.registry import Group, in_group


class MetaStep:
    """What the configuration asks for; nothing where it asks for nothing."""

    def __init__(self, model: GPT, config: Config, loader: Loader, world: World) -> None:
        self._model, self._config, self._loader, self._world = model, config.meta, loader, world
        self._parameters = in_group(model, Group.MATRIX)
        self._scales = [torch.ones((), dtype=p.dtype, device=p.device) for p in self._parameters]

    def add_gradients(self, step: int, fraction: float, now: Stage) -> None:
        """Add FOMAML's share of this rank's slots to the gradients of the matrices, and learn the multiples of the rate."""
        if not self._due("fomaml", step, fraction):
            return
        by_scale = torch.zeros(len(self._scales), dtype=self._scales[0].dtype, device=self._scales[0].device)
        for slot in self._world.slots(now.slots):
            found = fomaml(self._parameters, *self._losses(step, slot, now), self._config, self._scales)
            for parameter, gradient in zip(self._parameters, found.weights, strict=True):
                parameter.grad = gradient / now.slots + (0 if parameter.grad is None else parameter.grad)
            by_scale += torch.stack(found.scales) / now.slots
        if self._config.scales_lr:
            change = self._config.scales_lr * self._world.sum(by_scale)
            self._scales = [scale - own for scale, own in zip(self._scales, change, strict=True)]

    @torch.no_grad()
    def move(self, step: int, fraction: float, now: Stage) -> None:
        """Go a share of the way that the adaptations of all slots went on average."""
        if not self._due("reptile", step, fraction):
            return
        total = [torch.zeros_like(parameter) for parameter in self._parameters]
        with torch.enable_grad():
            for slot in self._world.slots(now.slots):
                way = reptile(self._parameters, self._losses(step, slot, now)[0], self._config, self._scales)
                total = [so_far + own / now.slots for so_far, own in zip(total, way, strict=True)]
        for parameter, way_of_all in zip(self._parameters, total, strict=True):
            parameter += self._config.reptile_lr * self._world.sum(way_of_all)

    def state_dict(self) -> dict[str, Tensor]:
        return {"scales": torch.stack(self._scales)} if self._config.scales_lr else {}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        if self._config.scales_lr:
            self._scales = [scale.to(own.device) for scale, own in zip(state["scales"].unbind(), self._scales, strict=True)]

    def _due(self, method: str, step: int, fraction: float) -> bool:
        c = self._config
        return c.method == method and c.every > 0 and step % c.every == 0 and fraction >= c.start

    def _losses(self, step: int, slot: int, now: Stage) -> tuple[Loss, Loss]:
        """The inner and the outer loss of a slot."""
        tokens, targets = self._batch(step, slot, now)
        if self._config.split == "cross":
            first, second = (tokens, targets), self._batch(step, (slot + 1) % now.slots, now)
        else:
            first, second = split(tokens, targets, self._config.split, step * now.slots + slot)
        return lambda: self._model.loss(*first), lambda: self._model.loss(*second)

    def _batch(self, step: int, slot: int, now: Stage) -> tuple[Tensor, Tensor]:
        tokens, targets = self._loader.batch(step, slot)
        return cut(tokens, now.length).to(self._world.device), cut(targets, now.length).to(self._world.device)
