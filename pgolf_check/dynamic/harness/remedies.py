"""What is changed after a run that stated no loss, by what it said: three attempts at most, none of them the same."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from pgolf_check.dynamic.harness.configuration import DEEPER, LESS, LESS_STREAM, RANKS, SHORTER_STREAM, Configuration

ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class Remedy:
    """A change for runs whose reason it reads."""

    name: str
    reads: re.Pattern[str]
    change: Callable[[Configuration], Configuration]

    def applied(self, to: Configuration) -> Configuration:
        return replace(self.change(to), name=f"{to.name}, {self.name}")


def _set(given: Mapping[str, object]) -> Callable[[Configuration], Configuration]:
    return lambda at: replace(at, variables={**at.variables, **{name: str(value) for name, value in given.items()}})


def _own_depth(at: Configuration) -> Configuration:
    """As many layers as the script has by itself, and nothing that is declared but what that switches off."""
    return replace(at, variables={name: value for name, value in at.variables.items() if name not in at.declared | {"NUM_LAYERS"}})


def _deeper(at: Configuration) -> Configuration:
    return _shorter(_set(DEEPER)(at), SHORTER_STREAM)


def _less_work(at: Configuration) -> Configuration:
    return _shorter(_set(LESS)(at), LESS_STREAM)


def _shorter(at: Configuration, tokens: int) -> Configuration:
    return replace(at, layout=replace(at.layout, tokens=min(at.layout.tokens, tokens)))


BY_THE_CLOCK = {"ITERATIONS": 20_000, "MAX_WALLCLOCK_SECONDS": 2}
"""A training of many steps that the limit of time ends: scripts that are told of few steps take that for a trial, and do not evaluate."""
OF_THE_SCRIPT = re.compile(r"^(?!killed|no time|ModuleNotFoundError)")
REMEDIES = (
    Remedy("one rank", re.compile(r"RANK|WORLD_SIZE|MASTER_|torchrun"), _set(RANKS)),
    Remedy("less work", re.compile(r"^killed: (wall-clock|CPU|memory) limit|^no time is left"), _less_work),
    Remedy("ended by the clock", re.compile(r"^ended without a loss"), _set(BY_THE_CLOCK)),
    Remedy("six layers", OF_THE_SCRIPT, _deeper),
    Remedy("its own depth", OF_THE_SCRIPT, _own_depth),
)


def next_attempt(tried: Sequence[Configuration], reason: str) -> Configuration | None:
    """The configuration to try after the last of those tried gave this reason, None if there is none left."""
    if len(tried) >= ATTEMPTS:
        return None
    last = tried[-1]
    for remedy in REMEDIES:
        if remedy.reads.search(reason):
            changed = remedy.applied(last)
            if all((changed.variables, changed.layout) != (other.variables, other.layout) for other in tried):
                return changed
    return None
