"""Score before update, and each position once: what a run says of the order of its work."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Step:
    """Positions that were scored together, or that the state was updated on together."""

    updates: bool
    positions: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Recorder:
    """Takes down the steps of a run; it knows only what it is told."""

    steps: list[Step] = field(default_factory=list)

    def scored(self, positions: Iterable[int]) -> None:
        """The losses of these positions count, and were computed now."""
        self.steps.append(Step(False, tuple(map(int, positions))))

    def updated(self, positions: Iterable[int]) -> None:
        """Whatever later scores depend on was updated with the tokens at these positions now."""
        self.steps.append(Step(True, tuple(map(int, positions))))


Run = Callable[[Sequence[int], Recorder], object]
"""An evaluation of a stream that tells the recorder what it scores and what it updates on; what it returns is ignored."""


def assert_score_first(run: Run, tokens: Sequence[int], *, context: int = 0) -> None:
    """Asserts that the state is updated only on positions scored before, or that are only context.

    Several updates on a scored position are legal. Raises AssertionError.
    """
    seen = set(range(context))
    for number, step in enumerate(_steps(run, tokens)):
        early = [position for position in step.positions if position not in seen]
        if step.updates and early:
            raise AssertionError(
                f"step {number} updates the state on position {early[0]} before it is scored: tokens={list(tokens)}, context={context}"
            )
        seen.update(step.positions)


def assert_single_pass(run: Run, tokens: Sequence[int], *, context: int = 0) -> None:
    """Asserts that every position from `context` on is scored, and once. Raises AssertionError."""
    times = dict.fromkeys(range(context, len(tokens)), 0)
    for number, step in enumerate(_steps(run, tokens)):
        if step.updates:
            continue
        for position in step.positions:
            if position < context:
                raise AssertionError(
                    f"step {number} scores position {position}, which is only context: tokens={list(tokens)}, context={context}"
                )
            times[position] += 1
            if times[position] > 1:
                raise AssertionError(
                    f"step {number} scores position {position} a second time: tokens={list(tokens)}, context={context}"
                )
    missed = [position for position, count in times.items() if not count]
    if missed:
        raise AssertionError(
            f"{len(missed)} positions are never scored, the first is {missed[0]}: tokens={list(tokens)}, context={context}"
        )


def _steps(run: Run, tokens: Sequence[int]) -> list[Step]:
    recorder = Recorder()
    run(tuple(tokens), recorder)
    for number, step in enumerate(recorder.steps):
        outside = [position for position in step.positions if not 0 <= position < len(tokens)]
        if outside:
            raise AssertionError(f"step {number} names position {outside[0]}, which is not in the stream: tokens={list(tokens)}")
    return recorder.steps
