"""The quantiser route: in which form a parameter is stored, by its role and not by how it was trained.

Invariants: every parameter has one route; vectors and constants are kept whatever the configuration; ternary blocks stay ternary.
"""

from dataclasses import dataclass
from enum import StrEnum

from pgolf_ref.config import Config
from pgolf_ref.config.export import ExportConfig
from pgolf_ref.config.rules import ruled
from pgolf_ref.registry import Entry, Group, Role

KEPT_BITS, HALF_BITS = 32, 16
CLIP = "12.85"  # standard deviations, of PR 1394


class Form(StrEnum):
    """How the numbers of a parameter are stored."""

    KEPT = "float32"
    HALF = "float16"
    INTEGER = "integer"  # codes with a float16 scale per row
    FLOAT8 = "float8"
    TERNARY = "ternary"  # codes with a float16 scale per group of columns


@dataclass(frozen=True, slots=True)
class Route:
    """The form and the bits of a code in it, before compression."""

    form: Form
    bits: int


KEPT, HALF, FLOAT8, TERNARY = (
    Route(Form.KEPT, KEPT_BITS),
    Route(Form.HALF, HALF_BITS),
    Route(Form.FLOAT8, 8),
    Route(Form.TERNARY, 2),
)


def route(entry: Entry, config: Config) -> Route:
    """Of one parameter of the registry."""
    if entry.role is Role.VECTOR or len(entry.shape) != 2:
        return KEPT
    if config.model.ternary_group and entry.group is Group.MATRIX and entry.layer is not None:
        return TERNARY
    bits = _bits(entry, config.export)
    if bits == KEPT_BITS:
        return KEPT
    if config.export.halves and bits == HALF_BITS:
        return HALF
    return FLOAT8 if config.export.float8 else Route(Form.INTEGER, bits)


def _bits(entry: Entry, export: ExportConfig) -> int:
    """By the last rule that fits, else by what the parameter is: a gate is kept."""
    default = {Role.GATE: KEPT_BITS, **dict.fromkeys((Role.EMBEDDING, Role.TABLE, Role.HEAD), export.embedding_bits)}
    return int(ruled(export.bits, entry.role, entry.layer, str(default.get(entry.role, export.matrix_bits))))


@dataclass(frozen=True, slots=True)
class Method:
    """How the codes of integers come about: names of config.export, standard deviations for the largest code, AWQ's power, share of zeros."""

    scales: str
    clip: float
    rounding: str
    awq: float = 0.0
    prune: float = 0.0


def method(entry: Entry, export: ExportConfig) -> Method:
    """Of one parameter that is stored as integers."""
    role, layer = entry.role, entry.layer
    return Method(
        ruled(export.scales, role, layer, "largest"),
        float(ruled(export.clips, role, layer, CLIP)),
        ruled(export.rounding, role, layer, "nearest"),
        float(ruled(export.awq, role, layer, "0")),
        float(ruled(export.prune, role, layer, "0")),
    )
