"""How a submission says that it is run: what the static witness knows of the configuration behind the claim."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pgolf_check.static.configuration import LAUNCHER
from pgolf_check.static.facts import StaticFacts

SAID = {"True": "1", "False": "0"}


@dataclass(frozen=True, slots=True)
class Declared:
    """The environment of the run behind the claim, and the variables that a script reads, both without those of torchrun."""

    environment: Mapping[str, str] = field(default_factory=dict)
    variables: tuple[str, ...] = ()


NOTHING = Declared()


def declared(read: StaticFacts | None) -> Declared:
    """The first run of the static witness; values that its log printed stand for variables of the same name."""
    if read is None or not read.runs:
        return NOTHING
    run = read.runs[0]
    variables = tuple(name for name in run.variables if name not in LAUNCHER)
    printed = {name.upper(): SAID.get(value, value) for name, value in run.printed}
    told = {name: printed[name] for name in variables if name in printed}
    environment = {name: value for name, value in run.environment if name not in LAUNCHER}
    return Declared({**told, **environment}, variables)
