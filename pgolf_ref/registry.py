"""The parameter registry: what each parameter is, from which optimizer groups, freezing, quantiser routes and export derive.

Invariants: every module declares the group of each parameter it owns in `GROUPS`; every parameter of a model is in exactly
one group; a parameter without a declaration is an error, never a default.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from math import prod

from torch import nn

_LAYER = re.compile(r"(?:^|\.)blocks\.(\d+)\.")
# The name of a parameter that its module reads through a function (torch.nn.utils.parametrize).
_READ_THROUGH = re.compile(r"parametrizations\.(\w+)\.original$")


class Group(StrEnum):
    """How a parameter is trained and stored."""

    EMBEDDING = "embedding"  # (rows, dim), one row per token or hash; Adam
    HEAD = "head"  # (vocab, dim), the output projection of an untied model; Adam
    MATRIX = "matrix"  # (out, in) of a block; Muon
    SCALAR = "scalar"  # gains and mixing weights, also when stored as a small matrix; Adam, never quantised
    CONSTANT = "constant"  # measured before the first step, then fixed; never quantised


@dataclass(frozen=True, slots=True)
class Entry:
    """One parameter: its name in the model, group, shape and block (None outside the blocks)."""

    name: str
    group: Group
    shape: tuple[int, ...]
    layer: int | None

    @property
    def count(self) -> int:
        return prod(self.shape)


def registry(model: nn.Module) -> dict[str, Entry]:
    """Every parameter of `model` by name, in the model's order."""
    entries: dict[str, Entry] = {}
    for name, parameter in model.named_parameters():
        owner_name, _, own_name = _READ_THROUGH.sub(r"\1", name).rpartition(".")
        owner = model.get_submodule(owner_name)
        groups: dict[str, Group] = getattr(type(owner), "GROUPS", {})
        if own_name not in groups:
            raise TypeError(f"{type(owner).__name__} declares no group for its parameter {own_name!r}")
        layer = _LAYER.search(name)
        entries[name] = Entry(name, groups[own_name], tuple(parameter.shape), int(layer[1]) if layer else None)
    return entries


def in_group(model: nn.Module, group: Group) -> list[nn.Parameter]:
    """The parameters of one group, in the model's order."""
    entries = registry(model)
    return [parameter for name, parameter in model.named_parameters() if entries[name].group is group]
