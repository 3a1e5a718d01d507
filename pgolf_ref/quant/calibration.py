"""What the export wants to know of the inputs of matrices, from rows of a calibration source.

Invariant: the statistics are those of one rank for any number of them.
"""

import copy
import math
from itertools import chain

import torch

from pgolf_ref.clock import Phase
from pgolf_ref.config import Config
from pgolf_ref.distributed import World
from pgolf_ref.model.gpt import GPT
from pgolf_ref.quant.artifact import quantised_matrices
from pgolf_ref.quant.routes import Form, method, route
from pgolf_ref.quant.sources import Source, passes, refuse_without_time
from pgolf_ref.quant.statistics import Collector, InputStatistics, PairedCollector
from pgolf_ref.registry import registry


def calibrate(model: GPT, source: Source, config: Config, phase: Phase, world: World) -> dict[str, InputStatistics]:
    """Statistics of the inputs of every matrix that is stored as integers, by the name of its parameter, in the order of products."""
    if not config.export.calibrates:
        return {}
    refuse_without_time(phase, world)
    names = wanted(model, config)
    found = _collected(Collector(model, names), source, config, phase, world)
    for stretch in _stretches(found, config.export.qronos_passes) if "qronos" in config.export.roundings else ():
        if world.agree(phase.remaining) > 0:
            rounded = _rounded_before(stretch, model, config, found)
            found |= _collected(PairedCollector(model, rounded, stretch), source, config, phase, world)
    return found


def _collected(
    collector: Collector | PairedCollector, source: Source, config: Config, phase: Phase, world: World
) -> dict[str, InputStatistics]:
    for tokens, weight in passes(source, config, phase, world):
        collector.count(tokens, weight)
    return collector.statistics(world)


def _stretches(found: dict[str, InputStatistics], most: int) -> list[list[str]]:
    """Names in the order of products, cut into so many stretches at most, 0 is one for each; matrices that share an input stay together.

    The products of one stretch know nothing of each other: all correct for what comes before it, as if the others did not.
    """
    products: list[list[str]] = []
    for name, inputs in found.items():
        if products and torch.equal(inputs.hessian, found[products[-1][0]].hessian):
            products[-1].append(name)
        else:
            products.append([name])
    size = max(1, math.ceil(len(products) / most)) if most else 1
    return [list(chain(*products[first : first + size])) for first in range(0, len(products), size)]


def _rounded_before(stretch: list[str], model: GPT, config: Config, found: dict[str, InputStatistics]) -> GPT:
    """A copy in which what comes before a stretch is rounded as in the end, and so is what no inputs decide.

    The rest stays whole: it is rounded in another way once its inputs are known, and what undoes the error of one rounding adds to
    that of another.
    """
    copied = copy.deepcopy(model)
    parameters, later = dict(copied.named_parameters()), list(found)[list(found).index(stretch[0]) :]
    with torch.no_grad():
        for name, quantised in quantised_matrices(model, config, found).items():
            if name not in later:
                parameters[name].copy_(quantised.expanded())
    return copied


def wanted(model: GPT, config: Config) -> set[str]:
    """The parameters whose codes depend on inputs."""
    entries = registry(model).items()
    integer = [(name, entry) for name, entry in entries if route(entry, config).form is Form.INTEGER]
    ways = {name: method(entry, config.export) for name, entry in integer}
    return {name for name, way in ways.items() if way.rounding != "nearest" or way.scales == "hessian" or way.awq}
