"""The weights that are evaluated and exported: those of the last step, an average, or a blend of two averages."""

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn

from pgolf_ref.checkpoint import prefixed, under
from pgolf_ref.config import OptimConfig
from pgolf_ref.optim.ema import WeightAverage
from pgolf_ref.optim.snapshots import SnapshotAverage


class Averages:
    """The averages that a configuration asks for; without any, storing them changes nothing."""

    def __init__(self, parameters: Iterable[nn.Parameter], config: OptimConfig) -> None:
        self._parameters = list(parameters)
        self._ema = WeightAverage(self._parameters, config.ema_horizon) if config.ema_horizon > 0 else None
        snapshots = (config.swa_tail, config.swa_every, config.swa_last)
        self._swa = SnapshotAverage(self._parameters, *snapshots) if config.swa_tail > 0 else None
        self._ema_share, self._ema_every = config.ema_share, config.ema_every

    def update(self, step: int, fraction: float) -> None:
        """Take in the weights that so many steps have reached, at this fraction of the run."""
        if self._ema is not None and (step % self._ema_every == 0 or fraction >= 1.0):
            self._ema.update(fraction)
        if self._swa is not None:
            self._swa.update(fraction)

    @torch.no_grad()
    def store(self) -> None:
        """Write into the parameters: the average there is, or ema_share of the moving one and the rest of the snapshots' mean."""
        mean = self._swa.mean if self._swa is not None else None
        if self._ema is not None:
            self._ema.store()
        if mean is not None:
            weight = 1.0 - self._ema_share if self._ema is not None else 1.0
            torch._foreach_lerp_([p.detach() for p in self._parameters], mean, weight)

    def state_dict(self) -> dict[str, Tensor]:
        """Of both averages."""
        state = prefixed("ema", self._ema.state_dict()) if self._ema is not None else {}
        return state | (prefixed("swa", self._swa.state_dict()) if self._swa is not None else {})

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        if self._ema is not None:
            self._ema.load_state_dict(under("ema", state))
        if self._swa is not None:
            self._swa.load_state_dict(under("swa", state))
