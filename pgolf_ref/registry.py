"""The parameter registry: what each parameter is, from which optimizer groups, freezing, quantiser routes and export derive.

Invariants: every module declares the group of each parameter it owns in `GROUPS`; every parameter of a model is in exactly
one group and has one role; a parameter without a declaration is an error, never a default.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from math import prod

from torch import nn

_LAYER = re.compile(r"(?:^|\.)blocks\.(\d+)\.")
# The name of a parameter that its module reads through a function (torch.nn.utils.parametrize).
_READ_THROUGH = re.compile(r"parametrizations\.(\w+)\.original$")


class Group(StrEnum):
    """How a parameter is trained."""

    EMBEDDING = "embedding"  # (rows, dim), one row per token or hash; Adam
    HEAD = "head"  # (vocab, dim), the output projection of an untied model; Adam
    MATRIX = "matrix"  # (out, in) of a block; Muon
    SCALAR = "scalar"  # gains and mixing weights, also when stored as a small matrix; Adam
    CONSTANT = "constant"  # measured before the first step, then fixed


class Role(StrEnum):
    """What a parameter does, from which its quantiser route derives (quant/routes.py)."""

    EMBEDDING = "embedding"  # the token table
    TABLE = "table"  # any other table: hashes, value embeddings, memory
    HEAD = "head"
    QUERY = "query"
    KEY = "key"
    VALUE = "value"
    OUT = "out"
    UP = "up"
    DOWN = "down"
    PROJECTION = "projection"  # any other matrix
    GATE = "gate"  # the matrix of a gate per head
    VECTOR = "vector"  # gains, mixing weights, biases, constants


# The roles of matrices whose name says what they are; of others it follows from the group, or a module declares it in `ROLES`.
_NAMED = {role.value: role for role in (Role.QUERY, Role.KEY, Role.VALUE, Role.OUT, Role.UP, Role.DOWN)}
_OF_GROUP = {
    Group.EMBEDDING: Role.TABLE,
    Group.HEAD: Role.HEAD,
    Group.MATRIX: Role.PROJECTION,
    Group.SCALAR: Role.VECTOR,
    Group.CONSTANT: Role.VECTOR,
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One parameter: its name in the model, group, role, shape and block (None outside the blocks)."""

    name: str
    group: Group
    role: Role
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
        owner = type(model.get_submodule(owner_name))
        groups: Mapping[str, Group] = getattr(owner, "GROUPS", {})
        if own_name not in groups:
            raise TypeError(f"{owner.__name__} declares no group for its parameter {own_name!r}")
        group, layer = groups[own_name], _LAYER.search(name)
        role = _role(own_name, group, getattr(owner, "ROLES", {}))
        entries[name] = Entry(name, group, role, tuple(parameter.shape), int(layer[1]) if layer else None)
    return entries


def in_group(model: nn.Module, group: Group) -> list[nn.Parameter]:
    """The parameters of one group, in the model's order."""
    entries = registry(model)
    return [parameter for name, parameter in model.named_parameters() if entries[name].group is group]


def _role(own_name: str, group: Group, declared: Mapping[str, Role]) -> Role:
    if own_name in declared:
        return declared[own_name]
    return _NAMED.get(own_name, Role.PROJECTION) if group is Group.MATRIX else _OF_GROUP[group]
