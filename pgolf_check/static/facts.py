"""What the static witness found: the runs that matter, each with its events, its claim and what could not be followed."""

from __future__ import annotations

from dataclasses import dataclass

from pgolf_check.model import Event, Severity, Step


@dataclass(frozen=True, slots=True)
class StaticRun:
    """One abstract run of the entry script under one configuration.

    `source` says where the configuration comes from. `ceiling` is the worst severity that a finding of this run may take. `claim` is
    the REPORT of the claimed score, `resolved` whether it was matched with a log line; `reports` are all REPORTs that carry scores,
    `scores` all SCOREs, in order; `unused` are the steps on validation tokens that no reported score was computed with. `gates_off`
    says that a gate of C code met a bound or a weight that may switch it off. `environment` and `printed` are those of the
    configuration, as pairs; `variables` are the names of the environment variables that the run read.
    """

    source: str
    ceiling: Severity
    claim: Event | None
    resolved: bool
    reports: tuple[Event, ...]
    scores: tuple[Event, ...]
    unfollowed: tuple[Step, ...] = ()
    steps: int = 0
    unused: tuple[Event, ...] = ()
    gates_off: bool = False
    environment: tuple[tuple[str, str], ...] = ()
    printed: tuple[tuple[str, str], ...] = ()
    variables: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StaticFacts:
    """The runs, and the problems that kept a run from being made; `stopped` if a limit ended the analysis."""

    runs: tuple[StaticRun, ...]
    problems: tuple[Step, ...] = ()
    stopped: str = ""
