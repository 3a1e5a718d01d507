"""How a submission says that it is run: the processes, arguments and environment of the command in its README or run script."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass, field

from pgolf_check.static.configuration import launch_command
from pgolf_check.submission.model import Command, Submission

PROCESSES = re.compile(r"--nproc[-_]per[-_]node(?:\s+|=)(\d{1,3})\b")
SEED = re.compile(r"--seed(=|$)")


@dataclass(frozen=True, slots=True)
class Declared:
    """A launch: `processes` is 0 where no launcher is used."""

    script: str
    arguments: tuple[str, ...] = ()
    processes: int = 0
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def argv(self) -> tuple[str, ...]:
        launcher = ("-m", "torch.distributed.run", "--standalone", f"--nproc_per_node={self.processes}") if self.processes else ()
        return (sys.executable, "-s", *launcher, self.script, *self.arguments)


def declared_launch(submission: Submission, seed: int | None) -> Declared:
    """The command of the run behind the claim, with the seed in the place of its own; without one, the script alone."""
    seeded = {} if seed is None else {"SEED": str(seed)}
    command = launch_command(submission)
    if command is None:
        return Declared(submission.entry, environment=seeded)
    asked = PROCESSES.search(command.text)
    environment = {**command.environment, **seeded}
    return Declared(submission.entry, _arguments(command, seed), int(asked[1]) if asked else 0, environment)


def _arguments(command: Command, seed: int | None) -> tuple[str, ...]:
    given = list(command.arguments)
    place = next((number for number, word in enumerate(given) if SEED.match(word)), None)
    if seed is None or place is None:
        return tuple(given)
    alone = given[place] == "--seed"
    return (*given[:place], f"--seed={seed}", *given[place + (2 if alone else 1) :])
