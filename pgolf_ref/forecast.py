"""What a recipe will take, before it is trained: parameters, bytes of the artifact, memory of weights and optimizer.

The size is an estimate: weights of a row are taken as normal and their codes as coded by themselves, so that a code costs its entropy;
headers as nothing. Where scales have a floor, the spread of weights counts, which is taken from a trained model.
"""

import math
from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist

import torch

from pgolf_ref.config import Config, OptimConfig
from pgolf_ref.model.gpt import GPT
from pgolf_ref.model.plan import in_words as plan_in_words
from pgolf_ref.model.plan import phases
from pgolf_ref.optim.groups import trained_by_adam
from pgolf_ref.quant.fit import WIDEST
from pgolf_ref.quant.guidance import FEWEST, MOST, is_guided
from pgolf_ref.quant.rounding import largest_code
from pgolf_ref.quant.routes import Form, method, route
from pgolf_ref.registry import Entry, Group, Role, registry

CODE_BYTES = 100_000  # of the script of a recipe, within some ten thousand
TERNARY_BITS = 1.58  # of codes of normal weights at a scale of mean |w|
FLOAT8_BITS = 6.5  # of normal weights with 3 bits of mantissa
SCALE_BITS = 11  # of a float16 whose high byte is like those of its neighbours
TRAINED_DEVIATION = {
    Role.EMBEDDING: 0.356,
    Role.TABLE: 0.419,
    Role.QUERY: 0.176,
    Role.KEY: 0.197,
    Role.VALUE: 0.197,
    Role.OUT: 0.176,
    Role.UP: 0.202,
    Role.DOWN: 0.118,
    Role.PROJECTION: 0.404,
}
"""Root mean squares by role in a model trained at a weight decay of TRAINED_DECAY (the norms that the analysis of PR 1501 lists)."""
TRAINED_DECAY = 0.04


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
    snapshots = (config.optim.swa_last or 1) if config.optim.swa_tail > 0 else 0
    averaged = snapshots + (1 if config.optim.ema_horizon > 0 else 0)
    training = 4 * sum(entry.count * (_words(entry, config.optim) + averaged) for entry in entries)
    return Forecast(sum(entry.count for entry in entries), _artifact_bytes(entries, config), training)


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


def _artifact_bytes(entries: Collection[Entry], config: Config) -> int:
    """With what `export.fit` changes; what it cannot make fit stays as it is."""
    size = _bytes(entries, config, fitted=False)
    if config.export.fit == "none":
        return size
    least = _bytes(entries, config, fitted=True)
    if least == size:
        return size
    room = config.export.cap_bytes - CODE_BYTES
    return room if least <= room < size else size


def _bytes(entries: Collection[Entry], config: Config, fitted: bool) -> int:
    """As the recipe says, or with all that `export.fit` may change."""
    bits = sum(_bits(entry, config, fitted) for entry in entries)
    return math.ceil((bits + _correction_bits(entries, config)) / 8)


def _bits(entry: Entry, config: Config, fitted: bool) -> float:
    """Of one parameter in the artifact."""
    way = route(entry, config)
    if way.form in (Form.KEPT, Form.HALF):
        return way.bits * entry.count
    if way.form is Form.TERNARY:
        return entry.count * (TERNARY_BITS + SCALE_BITS / config.model.ternary_group)
    if way.form is Form.FLOAT8:
        return FLOAT8_BITS * entry.count
    columns, how, export = entry.shape[-1], method(entry, config.export), config.export
    wider = WIDEST if fitted and export.fit == "clips" else 1.0
    largest = how.clip * wider if how.scales in ("deviation", "hessian") else _largest_of(columns)
    largest = max(largest, export.scale_floor / _trained_deviation(entry, config.optim))

    def per_code(bits: int) -> float:
        ones = _share_within(1.5 * largest / largest_code(bits)) if fitted and export.fit == "ones" else 0.0
        return bits if export.packing == "bits" else code_entropy(largest, bits, max(how.prune, ones))

    shares = _shares_of_bits(config, fitted) if is_guided(entry, config) else {0: 1.0}
    coded = sum(share * per_code(min(max(way.bits + more, FEWEST), MOST)) for more, share in shares.items())
    return entry.count * coded + SCALE_BITS * (entry.count / columns + (columns if how.awq else 0))


def _trained_deviation(entry: Entry, optim: OptimConfig) -> float:
    """The root mean square of trained weights, in inverse proportion to their decay: without decay they outgrow any floor."""
    decays = {Group.EMBEDDING: optim.embedding_decay, Group.HEAD: optim.head_decay, Group.MATRIX: optim.matrix_decay}
    decay = decays.get(entry.group, 0.0)
    return TRAINED_DEVIATION.get(entry.role, math.inf) * TRAINED_DECAY / decay if decay else math.inf


def _shares_of_bits(config: Config, fitted: bool) -> dict[int, float]:
    """The shares of the weights that have so many bits more, where gradients decide."""
    export = config.export
    if fitted and export.fit == "bits":
        return {-1: 1.0 - export.guided_more, 1: export.guided_more}
    fewer = min(export.guided_fewer, 1.0 - export.guided_more)
    return {-1: fewer, 0: 1.0 - fewer - export.guided_more, 1: export.guided_more}


def _correction_bits(entries: Collection[Entry], config: Config) -> float:
    """Of the corrections of low rank, taken as those of the largest matrices."""
    export = config.export
    integers = [entry for entry in entries if route(entry, config).form is Form.INTEGER]
    largest = sorted(integers, key=lambda entry: entry.count, reverse=True)[: export.lqer_top]
    left, right = (2, 4) if export.lqer_form == "asymmetric" else (4, 4)
    return sum(export.lqer_rank * (left * entry.shape[0] + right * entry.shape[1]) for entry in largest)


@lru_cache(maxsize=1024)
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


def _share_within(deviations: float) -> float:
    """Of normal numbers that are at most so far from zero."""
    return 2 * NormalDist().cdf(deviations) - 1


def _largest_of(count: int) -> float:
    """The median of the largest of `count` normal numbers, without signs."""
    return NormalDist().inv_cdf((1 + 0.5 ** (1 / count)) / 2)
