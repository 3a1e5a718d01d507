"""Which configurations of the entry script matter: those of the runs behind the claim, and the defaults.

Values come, in this order, from the dump in a log, from the command in a log, from a run script or README, and from the defaults.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from pgolf_check.model import Location, Severity
from pgolf_check.submission.model import Command, Submission

SETTING = re.compile(r"`([A-Z][A-Z0-9_]+)=([\w.+-]+)`")

LOG = "log"
"""The source of a configuration that a log prints."""
LAUNCHER = {
    "RANK": "0",
    "LOCAL_RANK": "0",
    "WORLD_SIZE": "8",
    "LOCAL_WORLD_SIZE": "8",
    "MASTER_ADDR": "127.0.0.1",
    "MASTER_PORT": "29500",
}
"""What torchrun sets: the run is that of rank 0 of 8."""


@dataclass(frozen=True, slots=True)
class Configuration:
    """Environment, command line and printed attribute values of a run; `source` names where they come from."""

    source: str
    environment: Mapping[str, str] = field(default_factory=dict)
    arguments: tuple[str, ...] = ()
    printed: Mapping[str, str] = field(default_factory=dict)
    ceiling: Severity = Severity.BLOCK
    any_options: bool = False
    """Whether every switch of the command line may be set or not."""

    @property
    def key(self) -> tuple[object, ...]:
        return (tuple(sorted(self.environment.items())), self.arguments, tuple(sorted(self.printed.items())))


def configurations(submission: Submission) -> tuple[Configuration, ...]:
    """The configurations to run, the one behind the claim first."""
    default = Configuration("defaults", dict(LAUNCHER))
    command = launch_command(submission) or _told(submission)
    printed = _printed(submission)
    if command is None and not printed:
        return (default,)
    environment = {**LAUNCHER, **(command.environment if command is not None else {})}
    source = LOG if printed else (command.location.path if command is not None else "defaults")
    run = Configuration(source, environment, command.arguments if command is not None else (), printed)
    if run.key == default.key:
        return (default,)
    return (run, Configuration("defaults", dict(LAUNCHER), ceiling=Severity.REVIEW))


def launch_command(submission: Submission) -> Command | None:
    """The launch command of the entry script that sets the most."""
    name = submission.entry.rpartition("/")[2]
    fitting = [c for c in submission.commands if not c.script or c.script.rpartition("/")[2] == name]
    return max(fitting, key=lambda c: (len(c.environment), len(c.arguments)), default=None)


def _told(submission: Submission) -> Command | None:
    """Where there is no command and no log: the settings that the README writes as code."""
    readme = next((f for f in submission.files if f.path.lower() == "readme.md"), None)
    if readme is None or submission.commands or any(log.runs for log in submission.logs):
        return None
    settings = dict(SETTING.findall(submission.readme))
    return Command(Location(readme.path), "", environment=settings) if settings else None


def _printed(submission: Submission) -> dict[str, str]:
    """The configuration that the logs behind the claim print."""
    claim = submission.metadata.val_bpb if submission.metadata is not None else None
    best: dict[str, str] = {}
    for log in submission.logs:
        for run in log.runs:
            supports = claim is None or any(abs(f.val_bpb - claim) < 0.02 for f in run.finals)
            if supports and len(run.config) > len(best):
                best = dict(run.config)
    best.pop("rank", None)
    best.pop("local_rank", None)
    return best
