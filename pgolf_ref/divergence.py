"""The guard of a training run: what tells a run that has diverged, which then ends with one sentence.

It has diverged with
* a loss of any step on any rank that is no number, or infinite;
* a gradient of any step whose norm is no number, or infinite;
* a loss of more than SPIKE times that of a uniform guess, where the log tells one after the first SETTLED of the run: earlier, such
  losses pass;
* weights after the last step that are no numbers, or infinite.
Losses and norms are gathered on the device and looked at where the log tells a loss and before a checkpoint is written: no step waits
for the guard, and no checkpoint is one of a run whose losses had ceased to be numbers.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from pgolf_ref.distributed import World
from pgolf_ref.errors import UserError

SETTLED, SPIKE = 0.1, 3.0


class Diverged(UserError):
    """A run that is not worth going on with after so many steps."""

    def __init__(self, step: int, what: str) -> None:
        self.step = step
        super().__init__(
            f"training diverged: {what}; lower the learning rates of the recipe or set optim.clip_norm, and name another folder: "
            "the checkpoint in this one is of the recipe as it was"
        )


class Guard:
    """What the steps since the last look have shown."""

    def __init__(self, vocab_size: int, world: World) -> None:
        self._guess, self._world = math.log(vocab_size), world
        self._seen = self._nothing()
        self.norm = self._nothing()[1]  # of the last step's gradient

    def _nothing(self) -> Tensor:
        return torch.zeros(2, dtype=torch.float64, device=self._world.device)

    def take(self, loss: Tensor, norm: Tensor) -> None:
        """Take in a step: its loss on this rank and the norm of its gradient, the same on all ranks."""
        self.norm = norm
        self._seen = torch.maximum(self._seen, torch.stack([loss.double().abs(), norm.double()]))

    def look(self, step: int) -> None:
        """Refuse a loss or a gradient since the last look that is no number; every rank has to look."""
        loss, norm = self._world.sum(self._seen).tolist()
        self._seen = self._nothing()
        if not math.isfinite(loss):
            raise Diverged(step, f"the loss of step {step} or shortly before is {loss}")
        if not math.isfinite(norm):
            raise Diverged(step, f"the norm of the gradient of step {step} or shortly before is {norm}")

    def refuse_spike(self, step: int, fraction: float, loss: float) -> None:
        """Refuse a loss over all ranks that no guess would have, at this fraction of the run."""
        if fraction >= SETTLED and loss > SPIKE * self._guess:
            raise Diverged(step, f"the loss of step {step} is {loss:.4f}, that of a uniform guess {self._guess:.4f}")

    def refuse_weights(self, step: int, weights: Sequence[Tensor]) -> None:
        """Refuse weights after the last step that are no numbers."""
        largest = torch.stack([weight.detach().abs().max() for weight in weights if weight.numel()])
        if not bool(torch.isfinite(largest).all()):
            raise Diverged(step, f"there are weights after step {step} that are no finite numbers")
