"""Quantisation-aware training: from an onset on, forward and backward passes see matrices as the artifact will round them.

The gradient with respect to a rounded matrix is applied to the real one behind it: the straight-through estimator, without a layer of
its own. Invariants: before the onset nothing is computed; outside of `rounded` the parameters are the real ones.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from pgolf_ref.config import Config
from pgolf_ref.quant.rounding import largest_code, nearest
from pgolf_ref.quant.routes import Form, Route, route
from pgolf_ref.registry import Group, registry


class RoundedMatrices:
    """The matrices of a model with their routes into the artifact."""

    def __init__(self, model: nn.Module, config: Config) -> None:
        entries = registry(model)
        self._onset, self._floor = config.optim.qat_from, config.export.scale_floor
        self._matrices = [
            (parameter, route(entries[name], config))
            for name, parameter in model.named_parameters()
            if entries[name].group is Group.MATRIX
        ]

    @contextmanager
    def rounded(self, fraction: float) -> Iterator[None]:
        """From the onset on, parameters inside are rounded; gradients that are accumulated inside stay."""
        if self._onset >= 1.0 or fraction < self._onset:
            yield
            return
        real = [parameter.detach().clone() for parameter, _ in self._matrices]
        with torch.no_grad():
            for parameter, way in self._matrices:
                parameter.copy_(as_stored(parameter, way, self._floor))
        try:
            yield
        finally:
            with torch.no_grad():
                for (parameter, _), value in zip(self._matrices, real, strict=True):
                    parameter.copy_(value)


def as_stored(weight: Tensor, way: Route, floor: float = 0.0) -> Tensor:
    """(rows, columns) -> the values that rounding to nearest leaves of it; ternary blocks round by themselves.

    The largest code of a row stands for `floor` at least.
    """
    if way.form is Form.HALF:
        return weight.to(torch.float16).to(weight.dtype)
    if way.form is Form.FLOAT8:
        return weight.to(torch.float8_e4m3fn).to(weight.dtype)
    if way.form is not Form.INTEGER:
        return weight
    scales = (weight.abs().amax(dim=1).clamp(min=floor) / largest_code(way.bits)).to(torch.float16).to(weight.dtype)
    return nearest(weight, scales, way.bits) * scales.unsqueeze(1)
