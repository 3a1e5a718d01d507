"""The figures that a submission claims, held against its logs.

A claimed score is reproduced if it is the score of one run or the mean of one label over the runs; the printed digits and the claim's
own rounding are allowed for. Anything else is contradicted where logs state scores at all.
"""

from __future__ import annotations

import enum
import re
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from pgolf_check.model import Location
from pgolf_check.stats.exact import most_exact
from pgolf_check.submission.model import FinalLine, Run, Submission

TOLERANCE, COARSEST = 1e-5, 5e-3


class Standing(enum.StrEnum):
    """How a claim stands to the logs."""

    REPRODUCED = "reproduced"
    MEAN = "mean of runs"
    DIAGNOSTIC = "only of a diagnostic line"
    BETTER = "better than any logged score"
    CONTRADICTED = "not among the logged figures"
    UNLOGGED = "no log to hold it against"


@dataclass(frozen=True, slots=True)
class Claim:
    """One claimed figure: what it is called, where it is stated, how it stands, and the log lines that decide it."""

    name: str
    value: float
    place: Location
    standing: Standing
    lines: tuple[Location, ...] = ()
    nearest: float | None = None
    """The logged figure that comes closest, where none is equal."""


def headline(submission: Submission) -> Claim | None:
    """The claimed score; None without one."""
    metadata = submission.metadata
    if metadata is None or metadata.val_bpb is None:
        return None
    return _score("val_bpb", metadata.val_bpb, Location(metadata.path), _runs(submission), seeds=metadata.seeds)


def seed_claims(submission: Submission) -> list[Claim]:
    """The claimed score of each seed, against the runs of that seed."""
    metadata = submission.metadata
    if metadata is None:
        return []
    runs = _runs(submission)
    return [
        _score(f"val_bpb of seed {seed}", value, Location(metadata.path), [run for run in runs if run.seed == seed])
        for seed, value in metadata.seed_bpb.items()
        if value > 0
    ]


def size_claims(submission: Submission) -> list[Claim]:
    """bytes_total and bytes_code against the logged sizes."""
    metadata = submission.metadata
    if metadata is None:
        return []
    runs = _runs(submission)
    script = submission.scripts.get(submission.entry)
    codes = [run.code_bytes for run in runs if run.code_bytes is not None] + ([script.size] if script is not None else [])
    totals = [run.total_bytes for run in runs if run.total_bytes is not None]
    totals += [run.model_bytes + code for run in runs if run.model_bytes is not None for code in codes]
    claimed = (("bytes_total", metadata.bytes_total, totals), ("bytes_code", metadata.bytes_code, codes))
    return [_size(name, value, Location(metadata.path), figures) for name, value, figures in claimed if value is not None]


def readme_claims(submission: Submission, path: str) -> list[Claim]:
    """The scores and losses in the tables of a README: its cells with four decimals or more."""
    return [_cell(text, Location(path, number), _runs(submission)) for number, text in _cells(submission.readme)]


def tolerance(value: float) -> float:
    """How far a figure may be from the claim that states it: one unit of the claim's last decimal, within 1e-5 and 5e-3."""
    return min(max(TOLERANCE, 10.0 ** -_decimals(value)), COARSEST)


def _runs(submission: Submission) -> list[Run]:
    """The runs of all logs; one that several logs hold counts once."""
    distinct: dict[object, Run] = {}
    for log in submission.logs:
        for run in log.runs:
            scores = tuple((f.label, f.val_bpb) for f in run.finals)
            distinct.setdefault((run.seed, scores, run.train_seconds), replace(run, finals=most_exact(run.finals)))
    return list(distinct.values())


def _cells(readme: str) -> Iterator[tuple[int, str]]:
    """(line, figure) of the cells that hold a score."""
    for number, line in enumerate(readme.split("\n"), 1):
        if line.lstrip().startswith("|"):
            for cell in line.split("|"):
                match = re.fullmatch(r"\W*(\d\.\d{4,10})\W*", cell)
                if match:
                    yield number, match[1]


def _cell(text: str, place: Location, runs: Sequence[Run]) -> Claim:
    """A README's figure as a loss, else as a score."""
    value, decimals = float(text), len(text.partition(".")[2])
    losses = [f for run in runs for f in run.finals if f.val_loss and abs(f.val_loss - value) <= max(TOLERANCE, 10.0**-decimals)]
    if losses:
        return Claim(f"README {text}", value, place, Standing.REPRODUCED, tuple(f.location for f in losses))
    return _score(f"README {text}", value, place, runs, decimals=decimals)


def _score(
    name: str, value: float, place: Location, runs: Sequence[Run], *, seeds: Sequence[int] = (), decimals: int | None = None
) -> Claim:
    room = tolerance(value) if decimals is None else max(TOLERANCE, 10.0**-decimals)
    finals = [final for run in runs for final in run.finals]
    scores = [final for final in finals if not final.diagnostic]
    equal = [f for f in scores if abs(f.val_bpb - value) <= max(room, 0.6 * 10.0**-f.digits)]
    if equal:
        return Claim(name, value, place, Standing.REPRODUCED, tuple(f.location for f in equal))
    for group in (*_groups(runs), *_groups([run for run in runs if run.seed in seeds])):
        if len(group) > 1 and abs(statistics.fmean(f.val_bpb for f in group) - value) <= room:
            return Claim(name, value, place, Standing.MEAN, tuple(f.location for f in group))
    for lines in (*([f] for f in finals if f.diagnostic), *_by_label(runs, diagnostic=True)):
        if abs(statistics.fmean(f.val_bpb for f in lines) - value) <= room:
            return Claim(name, value, place, Standing.DIAGNOSTIC, tuple(f.location for f in lines))
    if not finals:
        return Claim(name, value, place, Standing.UNLOGGED)
    best = min(scores or finals, key=lambda f: f.val_bpb)
    nearest = min(scores or finals, key=lambda f: abs(f.val_bpb - value))
    standing = Standing.BETTER if value < best.val_bpb - room else Standing.CONTRADICTED
    return Claim(name, value, place, standing, (best.location,), nearest.val_bpb)


def _groups(runs: Sequence[Run]) -> Iterator[list[FinalLine]]:
    """The lines that a mean may be taken over: those of one label; the last, or the best, of each run."""
    yield from _by_label(runs, diagnostic=False)
    scores = [[f for f in run.finals if not f.diagnostic] for run in runs]
    yield [lines[-1] for lines in scores if lines]
    yield [min(lines, key=lambda f: f.val_bpb) for lines in scores if lines]


def _by_label(runs: Sequence[Run], *, diagnostic: bool) -> Iterator[list[FinalLine]]:
    """The last line of one label of each run."""
    found: dict[str, list[FinalLine]] = {}
    for run in runs:
        for label, final in {f.label: f for f in run.finals if f.diagnostic == diagnostic}.items():
            found.setdefault(label, []).append(final)
    yield from found.values()


def _size(name: str, value: int, place: Location, figures: Sequence[int]) -> Claim:
    if not figures:
        return Claim(name, value, place, Standing.UNLOGGED)
    if value in figures:
        return Claim(name, value, place, Standing.REPRODUCED)
    if len(figures) > 1 and abs(statistics.fmean(figures) - value) <= 1:
        return Claim(name, value, place, Standing.MEAN)
    return Claim(name, value, place, Standing.CONTRADICTED, nearest=min(figures, key=lambda figure: abs(figure - value)))


def _decimals(value: float) -> int:
    return len(f"{value!r}".partition("e")[0].partition(".")[2])
