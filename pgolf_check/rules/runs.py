"""Which track a submission is for, and which of its logged runs count.

A log may hold a trial before the real run: of each log the last complete run counts, with every run that states the claimed score.
Logs with the same text are one log.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from pgolf_check.model import Location
from pgolf_check.rules.facts import Facts
from pgolf_check.static.claim import claimed_lines
from pgolf_check.submission.model import FinalLine, Log, Run, Submission

OTHER_TRACK = re.compile(r"non[-_ ]?record|unlimited", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class LoggedRun:
    """A run with the log that it stands in; `claimed` if one of its final lines states the claimed score."""

    log: Log
    run: Run
    claimed: bool

    @property
    def location(self) -> Location:
        """The line that ended the training, or the run's first."""
        return self.run.stop or Location(self.log.path, self.run.first_line)

    @property
    def scores(self) -> tuple[FinalLine, ...]:
        """The final lines that may be a claim."""
        return tuple(f for f in self.run.finals if not f.diagnostic)

    @property
    def name(self) -> str:
        return self.log.path if self.run.seed is None else f"{self.log.path} (seed {self.run.seed})"


def is_record(facts: Facts) -> bool:
    """Whether the submission claims a place in the record track; by its folder, else by its metadata."""
    parts = PurePosixPath(facts.submission.path.replace("\\", "/").rpartition(":")[2]).parts
    if facts.edition.record_track in parts or facts.edition.other_track in parts:
        return facts.edition.record_track in parts
    metadata = facts.submission.metadata
    return metadata is None or OTHER_TRACK.search(metadata.track) is None


def on_track_hardware(facts: Facts, run: Run) -> bool:
    """Whether the run used as many GPUs as the edition's machine has."""
    return run.world_size == facts.edition.hardware.count


def counted_runs(submission: Submission) -> tuple[LoggedRun, ...]:
    """The runs that count, in the order of the logs."""
    claims = {final.location for final in claimed_lines(submission)}
    texts: set[str] = set()
    counted: list[LoggedRun] = []
    for log in submission.logs:
        if log.text not in texts:
            texts.add(log.text)
            counted.extend(_of_log(log, claims))
    return tuple(counted)


def _of_log(log: Log, claims: set[Location]) -> Iterator[LoggedRun]:
    finished = [run for run in log.runs if any(not f.diagnostic for f in run.finals)]
    last = max(
        (run for run in finished if run.complete), key=lambda run: run.first_line, default=finished[-1] if finished else None
    )
    for run in finished:
        claimed = any(final.location in claims for final in run.finals)
        if claimed or run is last:
            yield LoggedRun(log, run, claimed)
