"""Bits guided by gradients: the matrices that the loss depends on most get a bit more, those that it depends on least a bit fewer.

How much the loss depends on a matrix is taken from its mean squared gradient over rows of the calibration (the diagonal of the
empirical Fisher matrix). Matrices are those of blocks that are stored as integers; a role of a block is chosen as a whole, so that the
choice is a rule of `export.bits`. Invariant: the order is the same for any number of ranks, but for rounding.
"""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn

from pgolf_ref.clock import Phase
from pgolf_ref.config import Config
from pgolf_ref.distributed import World
from pgolf_ref.model.gpt import GPT
from pgolf_ref.quant.routes import Form, route
from pgolf_ref.quant.sources import Source, passes, refuse_without_time
from pgolf_ref.registry import Entry, Group, registry

FEWEST, MOST = 2, 8  # bits of an integer


@dataclass(frozen=True, slots=True)
class Unit:
    """The matrices of one role in one block: their weights, the bits that the recipe gives them, and their mean squared gradient."""

    layer: int
    role: str
    weights: int
    bits: int
    squared_gradient: float


def is_guided(entry: Entry, config: Config) -> bool:
    """Whether the bits of a parameter may change."""
    return entry.group is Group.MATRIX and entry.layer is not None and route(entry, config).form is Form.INTEGER


def measured(model: GPT, source: Source, config: Config, phase: Phase, world: World) -> tuple[Unit, ...]:
    """The units of a model, the largest mean squared gradient first; the gradient is that of the mean loss of a row.

    UserError if no time is left.
    """
    refuse_without_time(phase, world)
    members: dict[tuple[int, str], list[nn.Parameter]] = {}
    bits: dict[tuple[int, str], int] = {}
    entries = registry(model)
    for name, parameter in model.named_parameters():
        entry = entries[name]
        if entry.layer is not None and is_guided(entry, config):
            members.setdefault((entry.layer, entry.role.value), []).append(parameter)
            bits[entry.layer, entry.role.value] = route(entry, config).bits
    if not members:
        return ()
    *totals, rows = world.sum(_squares(model, list(members.values()), source, config, phase, world)).tolist()
    sizes = [sum(parameter.numel() for parameter in own) for own in members.values()]
    units = [
        Unit(*place, size, bits[place], total / (rows * size)) for place, size, total in zip(members, sizes, totals, strict=True)
    ]
    return tuple(sorted(units, key=lambda unit: -unit.squared_gradient))


def _squares(
    model: GPT, units: Sequence[Sequence[nn.Parameter]], source: Source, config: Config, phase: Phase, world: World
) -> torch.Tensor:
    """The squared gradients of each unit, added up over its weights and over this rank's rows, and these rows, float64 (units + 1,)."""
    parameters = [parameter for own in units for parameter in own]
    sizes = [len(own) for own in units]
    total = torch.zeros(len(units) + 1, dtype=torch.float64, device=world.device)
    for tokens, weight in passes(source, config, phase, world):
        for row in tokens.split(1):
            loss = model.loss(row[:, :-1], row[:, 1:])
            gradients = torch.autograd.grad(loss, parameters, allow_unused=True)
            squares = [loss.new_zeros(()) if g is None else g.square().sum() for g in gradients]
            by_unit = [part.sum() for part in torch.stack(squares).to(torch.float64).split(sizes)]
            total += weight * torch.stack([*by_unit, torch.ones_like(by_unit[0])])
    return total


def guided(config: Config, units: Sequence[Unit], fewer: int = 0) -> Config:
    """The configuration with the bits of the units, ordered as `measured` gives them, as rules.

    The first units within `export.guided_more` of all weights get a bit more, the last within `export.guided_fewer`, and at least the
    last `fewer` of them, a bit fewer.
    """
    if not units:
        return config
    more = _within(config.export.guided_more, units)
    fewer = max(fewer, _within(config.export.guided_fewer, units[::-1]))
    changed = [(unit, unit.bits + 1) for unit in units[:more]]
    changed += [(unit, unit.bits - 1) for unit in units[max(more, len(units) - fewer) :]]
    rules = tuple(f"{unit.layer}.{unit.role}={min(max(bits, FEWEST), MOST)}" for unit, bits in changed)
    return dataclasses.replace(config, export=dataclasses.replace(config.export, bits=(*config.export.bits, *rules)))


def _within(share: float, units: Sequence[Unit]) -> int:
    """How many of the first units have together no more than this share of all weights."""
    left, count = share * sum(unit.weights for unit in units), 0
    for unit in units:
        left -= unit.weights
        if left < 0:
            break
        count += 1
    return count
