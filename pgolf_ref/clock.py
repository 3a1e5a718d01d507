"""Time as an injected object: named phases, each with an optional budget, on a clock that tests can drive.

Invariants: a phase counts only the time it is open and not paused; every phase that was opened is in the report.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Phase:
    """A stopwatch with a budget in seconds (0 = none)."""

    def __init__(self, name: str, budget: float, now: Callable[[], float]) -> None:
        self.name = name
        self.budget = budget
        self._now = now
        self._counted = 0.0
        self._since: float | None = None

    @property
    def seconds(self) -> float:
        """Time counted so far."""
        return self._counted + (self._now() - self._since if self._since is not None else 0.0)

    @property
    def remaining(self) -> float:
        """Seconds left of the budget, never below 0; infinite without a budget."""
        return max(self.budget - self.seconds, 0.0) if self.budget > 0 else float("inf")

    def resume(self, seconds: float) -> None:
        """Count the time of an earlier process, too."""
        self._counted += seconds

    @contextmanager
    def running(self) -> Iterator["Phase"]:
        """Count the time spent inside."""
        self._since = self._now()
        try:
            yield self
        finally:
            self._counted, self._since = self.seconds, None

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Do not count the time spent inside."""
        self._counted, self._since = self.seconds, None
        try:
            yield
        finally:
            self._since = self._now()


class Clock:
    """The phases of a run in the order in which they were opened; `now` returns seconds from any origin."""

    def __init__(self, now: Callable[[], float] = time.perf_counter) -> None:
        self._now = now
        self.phases: list[Phase] = []

    @contextmanager
    def phase(self, name: str, budget: float = 0.0) -> Iterator[Phase]:
        phase = Phase(name, budget, self._now)
        self.phases.append(phase)
        with phase.running():
            yield phase

    def seconds(self, name: str) -> float:
        """Total time of the phases of this name."""
        return sum(phase.seconds for phase in self.phases if phase.name == name)
