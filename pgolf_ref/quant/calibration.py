"""What the export wants to know of the inputs of matrices, from rows of a calibration source.

Invariant: the statistics are those of one rank for any number of them.
"""

import copy

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
    """Statistics of the inputs of every matrix that is stored as integers, by the name of its parameter."""
    if not config.export.calibrates:
        return {}
    refuse_without_time(phase, world)
    names = wanted(model, config)
    found = _collected(Collector(model, names), source, config, phase, world)
    for _ in range(config.export.qronos_passes) if "qronos" in config.export.roundings else ():
        if world.agree(phase.remaining) > 0:
            found = _collected(PairedCollector(model, _rounded(model, config, found), names), source, config, phase, world)
    return found


def _collected(
    collector: Collector | PairedCollector, source: Source, config: Config, phase: Phase, world: World
) -> dict[str, InputStatistics]:
    for tokens, weight in passes(source, config, phase, world):
        collector.count(tokens, weight)
    return collector.statistics(world)


def _rounded(model: GPT, config: Config, found: dict[str, InputStatistics]) -> GPT:
    """A copy that computes with the weights as these statistics round them."""
    copied = copy.deepcopy(model)
    parameters = dict(copied.named_parameters())
    with torch.no_grad():
        for name, quantised in quantised_matrices(model, config, found).items():
            parameters[name].copy_(quantised.expanded())
    return copied


def wanted(model: GPT, config: Config) -> set[str]:
    """The parameters whose codes depend on inputs."""
    entries = registry(model).items()
    integer = [(name, entry) for name, entry in entries if route(entry, config).form is Form.INTEGER]
    ways = {name: method(entry, config.export) for name, entry in integer}
    return {name for name, way in ways.items() if way.rounding != "nearest" or way.scales == "hessian" or way.awq}
