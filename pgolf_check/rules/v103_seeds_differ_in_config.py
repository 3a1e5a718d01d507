"""V103: the runs that a claim rests on are of one configuration and one script; only the seed differs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from pgolf_check.model import Answer, Certainty, Finding, Location, Witness
from pgolf_check.rules.answers import failed, not_analysed, not_applicable
from pgolf_check.rules.facts import Facts
from pgolf_check.rules.runs import LoggedRun, counted_runs

CODE = "V103"
OF_THE_RUN = re.compile(
    r"seed|run_?(?:id|name)|log|rank|path|dir|file|artifact|device|host|time_?stamp|date|wandb|cache|world_size", re.IGNORECASE
)
"""Settings that name the run or the place where it ran."""
SETTINGS = 8
"""Settings that a message names."""


def check(facts: Facts) -> Answer:
    runs = list(counted_runs(facts.submission))
    claimed = [r for r in runs if r.claimed]
    judged = claimed if len(claimed) > 1 else runs
    if len(judged) < 2:
        return not_applicable(CODE, "fewer than two runs count")
    found = [*_settings(judged), *_sources(judged)]
    comparable = any(r.run.config or r.log.embedded_source for r in judged)
    if not found and not comparable:
        return not_analysed(CODE, "no log states the settings of its run or its source")
    places = tuple(Location(r.log.path, r.run.first_line) for r in judged)
    return failed(CODE, [Finding(CODE, Witness.PAPER, Certainty.PROVEN, told, places) for told in found])


def _settings(runs: Sequence[LoggedRun]) -> Iterator[str]:
    """The settings that all runs state and that differ."""
    configs = [{k: v for k, v in r.run.config.items() if not _names_the_seed(r, v)} for r in runs if r.run.config]
    shared = set.intersection(*map(set, configs)) if configs else set()
    differing = []
    for name in sorted(shared):
        values = {config[name] for config in configs}
        if len(values) > 1 and not OF_THE_RUN.search(name) and not any("/" in value for value in values):
            differing.append(f"{name} ({', '.join(sorted(values)[:3])})")
    if differing:
        more = f" and {len(differing) - SETTINGS} more" if len(differing) > SETTINGS else ""
        yield f"the runs differ in {', '.join(differing[:SETTINGS])}{more}"


def _names_the_seed(logged: LoggedRun, value: str) -> bool:
    """Whether a setting is the run's seed under another name; a log that prints none has it in its file name."""
    return value.isdigit() and (
        value == str(logged.run.seed) or (logged.run.seed is None and value in re.findall(r"\d+", logged.log.path))
    )


def _sources(runs: Sequence[LoggedRun]) -> Iterator[str]:
    """Whether the logs embed different sources, or count different amounts of code."""
    sources = {r.log.embedded_source.strip() for r in runs if r.log.embedded_source}
    if len(sources) > 1:
        yield f"the logs of the runs hold {len(sources)} different sources"
    sizes = {r.run.code_bytes for r in runs if r.run.code_bytes is not None}
    if len(sizes) > 1 and len(sources) < 2:
        yield f"the runs count different amounts of code: {', '.join(f'{size:,}' for size in sorted(sizes))} bytes"
