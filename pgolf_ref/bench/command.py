"""`pgolf-train bench`: a recipe measured on this device, after it has been compared with another script where one is named."""

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pgolf_ref.bench.against import Comparison, compare
from pgolf_ref.bench.measure import Measurement, measure
from pgolf_ref.config import Config
from pgolf_ref.distributed import World
from pgolf_ref.errors import UserError


@dataclass(frozen=True, slots=True)
class Asked:
    """What to measure: so many steps, at a fraction of the run; `against` a script with these environment variables."""

    config: Config
    steps: int
    fraction: float
    against: Path | None = None
    variables: Mapping[str, str] = field(default_factory=dict)


def measured(asked: Asked, world: World, tell: Callable[[str, str], None]) -> tuple[Measurement, Comparison | None]:
    """The figures. The comparison comes first: then the device is its processes' alone."""
    data = str(Path(asked.config.data.path).resolve())
    config = dataclasses.replace(asked.config, data=dataclasses.replace(asked.config.data, path=data))
    compared = None
    if asked.against is not None:
        if world.size > 1:
            raise UserError("bench --against compares single processes: start it without torchrun")
        tell("against", asked.against.name)
        compared = compare(config, asked.against, asked.steps, asked.variables)
    tell("measure", f"{asked.steps} steps")
    return measure(config, world, asked.steps, asked.fraction), compared
