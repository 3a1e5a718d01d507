"""What a terminal shows while a recipe runs: phase, steps, loss, learning rate, tokens per second, time left; below the log's lines.

Invariant: without a terminal nothing is shown but the lines of the log.
"""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn

from pgolf_ref import plots
from pgolf_ref.log import Audience

Figures = Mapping[str, float | str]


@contextmanager
def watching(main: bool = True) -> Iterator[Audience]:
    """An audience of a run: a bar on a terminal (standard error) for the main rank, and after every seed its plots."""
    drawn = Plots()
    if not main or not sys.stderr.isatty():
        yield drawn
        return
    with Bar(Console(stderr=True), redirect=sys.stdout.isatty()) as bar:

        def both(kind: str, figures: Figures) -> None:
            bar(kind, figures)
            drawn(kind, figures)

        yield both


class Plots:
    """Draws the log of every finished seed; says once why not, where it cannot."""

    def __init__(self) -> None:
        self._told = False

    def __call__(self, kind: str, figures: Figures) -> None:
        if kind != "finished" or plots.draw(Path(str(figures["log"]))) or self._told:
            return
        self._told = True
        print("no plots: they need matplotlib (pip install matplotlib)", file=sys.stderr)


class Bar:
    """One line at the bottom of a terminal."""

    def __init__(self, console: Console, redirect: bool) -> None:
        """`redirect`: standard output is the same terminal, and its lines have to go above the bar."""
        columns = (TextColumn("{task.description}"), BarColumn(20), TaskProgressColumn(), TextColumn("{task.fields[told]}"))
        self._progress = Progress(*columns, console=console, transient=True, redirect_stdout=redirect)
        self._begin("")

    def __enter__(self) -> "Bar":
        self._progress.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._progress.stop()

    def __call__(self, kind: str, figures: Figures) -> None:
        if kind == "begin":
            self._progress.refresh()
            self._progress.remove_task(self._task)
            self._begin(str(figures["name"]))
        elif kind == "train":
            self._pace.look(figures)
        elif kind == "step":
            told = self._pace.step(figures)
            self._progress.update(self._task, total=1.0, completed=float(figures["fraction"]), told=told)

    def _begin(self, name: str) -> None:
        """A phase whose length is not known until it tells of a step."""
        self._task: TaskID = self._progress.add_task(name, total=None, told="")
        self._pace = Pace()


class Pace:
    """What can be told of a training that goes on, from the figures of its steps."""

    def __init__(self) -> None:
        self._first: float | None = None  # seconds when the first step was told
        self._tokens = 0.0  # since then
        self._seen = ""

    def look(self, figures: Figures) -> None:
        """A loss, which is not told for every step."""
        self._seen = f"  loss {float(figures['loss']):.4f}  rate {float(figures['lr_multiplier']):.3f}"

    def step(self, figures: Figures) -> str:
        """The line after a step: which step, last known loss and multiple of the learning rates, tokens per second, time left."""
        seconds, fraction = float(figures["seconds"]), float(figures["fraction"])
        told = f"step {figures['step']}/{figures['steps']}{self._seen}"
        if self._first is None:
            self._first = seconds
            return told
        self._tokens += float(figures["tokens"])
        if seconds > self._first:
            told += f"  {self._tokens / (seconds - self._first):,.0f} tokens/s"
        if fraction > 0:
            told += f"  {timedelta(seconds=round(seconds * (1 - fraction) / fraction))} left"
        return told
