"""The phases of a run in its log: one line that a program can read for each, and a table of all for people.

Invariant: every phase that has ended has one line, `phase:NAME seconds:S budget:Bs` or `budget:none`, and one JSON line of the same.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from pgolf_ref.clock import Clock, Phase
from pgolf_ref.log import Log

DATA, WARM_UP, TRAIN, AVERAGE, CALIBRATE, QUANTISE = "data", "warm-up", "train", "average", "calibrate", "quantise"
EVALUATE, SLIDING, TTT = EVALUATION = ("evaluate", "sliding", "ttt")


@contextmanager
def timed(clock: Clock, log: Log, name: str, budget: float = 0.0) -> Iterator[Phase]:
    """A phase whose lines are written when it has ended; those who follow the log are told when it begins."""
    log.tell("begin", name=name)
    with clock.phase(name, budget) as phase:
        yield phase
    tell(phase, log)


def tell(phase: Phase, log: Log) -> None:
    """The lines of a phase that has ended."""
    line = f"phase:{phase.name} seconds:{phase.seconds:.3f} budget:{_budget(phase)}"
    log.event("phase", line, name=phase.name, seconds=phase.seconds, budget=phase.budget)


def table(phases: Sequence[Phase]) -> list[str]:
    """Lines of a table: name, seconds, budget of every phase, and the seconds of all."""
    rows = [("phase", "seconds", "budget")]
    rows += [(phase.name, f"{phase.seconds:.1f}", _budget(phase)) for phase in phases]
    rows += [("total", f"{sum(phase.seconds for phase in phases):.1f}", "")]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    return [f"{name:{widths[0]}}  {seconds:>{widths[1]}}  {budget:>{widths[2]}}".rstrip() for name, seconds, budget in rows]


def _budget(phase: Phase) -> str:
    return f"{phase.budget:.1f}s" if phase.budget > 0 else "none"
