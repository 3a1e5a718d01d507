"""What a recipe will take, before it is trained: parameters, bytes of the artifact, memory of weights and optimizer.

The size is an estimate: weights of a row are taken as normal and their codes as coded by themselves, so that a code costs its entropy;
headers as nothing.
"""

import math
from collections.abc import Collection
from dataclasses import dataclass
from statistics import NormalDist

import torch

from pgolf_ref.config import Config, OptimConfig
from pgolf_ref.model.gpt import GPT
from pgolf_ref.model.plan import in_words as plan_in_words
from pgolf_ref.model.plan import phases
from pgolf_ref.optim.groups import trained_by_adam
from pgolf_ref.quant.rounding import largest_code
from pgolf_ref.quant.routes import Form, method, route
from pgolf_ref.registry import Entry, Group, registry

TERNARY_BITS = 1.58  # of codes of normal weights at a scale of mean |w|
FLOAT8_BITS = 6.5  # of normal weights with 3 bits of mantissa
SCALE_BITS = 16


@dataclass(frozen=True, slots=True)
class Forecast:
    """Parameters of the model, bytes of its artifact, bytes of weights, gradients and optimizer state on one device."""

    parameters: int
    artifact_bytes: int
    training_bytes: int


def forecast(config: Config) -> Forecast:
    """Of a model that is built without memory for its weights."""
    with torch.device("meta"):
        entries = registry(GPT(config.model)).values()
    bits = sum(_bits(entry, config) for entry in entries) + _correction_bits(entries, config)
    snapshots = (config.optim.swa_last or 1) if config.optim.swa_tail > 0 else 0
    averaged = snapshots + (1 if config.optim.ema_horizon > 0 else 0)
    training = 4 * sum(entry.count * (_words(entry, config.optim) + averaged) for entry in entries)
    return Forecast(sum(entry.count for entry in entries), math.ceil(bits / 8), training)


def in_words(config: Config) -> str:
    """What a dry run tells: the plan of each phase, parameters, memory and size."""
    expected = forecast(config)
    plans = [f"plan from {phase.start:g} of the run: {plan_in_words(phase.steps)}" for phase in phases(config.model)]
    cap = config.export.cap_bytes
    return "\n".join(
        [
            *plans,
            f"parameters: {expected.parameters:,}",
            f"weights, gradients and optimizer: {expected.training_bytes / 2**20:,.0f} MiB on one device, without activations",
            f"artifact: about {expected.artifact_bytes:,} bytes of at most {cap:,} with the code",
        ]
    )


def _words(entry: Entry, optim: OptimConfig) -> int:
    """Numbers in memory per weight: itself, its gradient and the optimizer's means, of which Muon has one and Adam two."""
    if entry.group is Group.CONSTANT:
        return 1
    return 3 if entry.group is Group.MATRIX and not trained_by_adam(entry, optim) else 4


def _bits(entry: Entry, config: Config) -> float:
    """Of one parameter in the artifact."""
    way = route(entry, config)
    if way.form in (Form.KEPT, Form.HALF):
        return way.bits * entry.count
    if way.form is Form.TERNARY:
        return entry.count * (TERNARY_BITS + SCALE_BITS / config.model.ternary_group)
    if way.form is Form.FLOAT8:
        return FLOAT8_BITS * entry.count
    columns, how = entry.shape[-1], method(entry, config.export)
    largest = how.clip if how.scales in ("deviation", "hessian") else _largest_of(columns)
    per_code = way.bits if config.export.packing == "bits" else code_entropy(largest, way.bits, how.prune)
    return entry.count * per_code + SCALE_BITS * (entry.count / columns + (columns if how.awq else 0))


def _correction_bits(entries: Collection[Entry], config: Config) -> float:
    """Of the corrections of low rank, taken as those of the largest matrices."""
    export = config.export
    integers = [entry for entry in entries if route(entry, config).form is Form.INTEGER]
    largest = sorted(integers, key=lambda entry: entry.count, reverse=True)[: export.lqer_top]
    left, right = (2, 4) if export.lqer_form == "asymmetric" else (4, 4)
    return sum(export.lqer_rank * (left * entry.shape[0] + right * entry.shape[1]) for entry in largest)


def code_entropy(largest: float, bits: int, pruned: float = 0.0) -> float:
    """Bits of information in the code of a normal weight whose largest code stands for so many standard deviations.

    The weights nearest to zero, of this share, are zero.
    """
    normal, limit = NormalDist(), largest_code(bits)
    step, zero = largest / limit, normal.inv_cdf((1 + pruned) / 2)
    edges = [max(zero, (code - 0.5) * step) for code in range(1, limit + 1)] + [math.inf]
    above = [1 - normal.cdf(edge) for edge in edges]
    shares = [2 * (0.5 - above[0]), *(above[i] - above[i + 1] for i in range(limit) for _ in range(2))]
    return -sum(share * math.log2(share) for share in shares if share > 0)


def _largest_of(count: int) -> float:
    """The median of the largest of `count` normal numbers, without signs."""
    return NormalDist().inv_cdf((1 + 0.5 ** (1 / count)) / 2)
