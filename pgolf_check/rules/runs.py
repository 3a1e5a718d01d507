"""Which track a submission is for, and which of its logged runs count.

A log may hold a trial before the real run: of each log the last complete run counts, with every run that states the claimed score.
Logs with the same text are one log.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from pgolf_check.model import Location
from pgolf_check.rules.facts import Facts
from pgolf_check.static.claim import claimed_lines
from pgolf_check.submission.model import FinalLine, Log, Run, Submission

OTHER_TRACK = re.compile(r"non[-_ ]?record|unlimited", re.IGNORECASE)
OTHER_GPUS = re.compile(r"\b(?:A100|A40|A6000|L40S?|B200|H200|GH200|RTX|[345]090|MI\d{3}X?|MPS|MLX|TPU)\b")


@dataclass(frozen=True, slots=True)
class LoggedRun:
    """A run with the log that it stands in, and where its final lines state the claimed score."""

    log: Log
    run: Run
    claims: frozenset[Location] = frozenset()

    @property
    def claimed(self) -> bool:
        """Whether one of its final lines states the claimed score."""
        return bool(self.claims)

    @property
    def location(self) -> Location:
        """The line that ended the training, or the run's first."""
        return self.run.stop or Location(self.log.path, self.run.first_line)

    @property
    def scores(self) -> tuple[FinalLine, ...]:
        """The final lines that may be a claim: those that state it, and all that are no diagnostics."""
        return tuple(f for f in self.run.finals if not f.diagnostic or f.location in self.claims)

    @property
    def name(self) -> str:
        return self.log.path if self.run.seed is None else f"{self.log.path} (seed {self.run.seed})"


def is_record(facts: Facts) -> bool:
    """Whether the submission claims a place in the record track: by its folder, else by its metadata."""
    submission = facts.submission
    parts = PurePosixPath(submission.path.replace("\\", "/").rpartition(":")[2]).parts
    if facts.edition.record_track in parts or facts.edition.other_track in parts:
        return facts.edition.record_track in parts
    return submission.metadata is None or OTHER_TRACK.search(submission.metadata.track) is None


def claims_hardware(facts: Facts) -> bool:
    """Whether the submission says that it ran on as many GPUs of the kind as the edition's machine has."""
    machine = facts.edition.hardware
    metadata = facts.submission.metadata
    stated = str(metadata.data.get("hardware") or metadata.data.get("gpu") or "") if metadata is not None else ""
    told = re.compile(rf"\b{machine.count} ?[x×] ?(?:NVIDIA )?{re.escape(machine.gpu.split()[0])}", re.IGNORECASE)
    if stated:
        return told.search(stated) is not None
    return told.search(facts.submission.readme) is not None and OTHER_GPUS.search(facts.submission.readme) is None


def counted_runs(submission: Submission) -> tuple[LoggedRun, ...]:
    """The runs that count, in the order of the logs."""
    stated = claimed_lines(submission)
    claims = {f.location for f in stated if not f.diagnostic} or {f.location for f in stated}
    texts: set[str] = set()
    counted: list[LoggedRun] = []
    for log in submission.logs:
        if log.text not in texts:
            texts.add(log.text)
            counted.extend(_of_log(log, claims))
    return tuple(counted)


def is_aside(facts: Facts, logged: LoggedRun, runs: Iterable[LoggedRun]) -> bool:
    """Whether the claim stands without this run: others state it, and this is a baseline, a trial or an earlier run of the same seed.

    In the record track a run of another seed is taken for one of the runs that a record needs.
    """
    claimed = [run for run in runs if run.claimed]
    if not claimed or logged.claimed:
        return False
    seed = logged.run.seed
    return not is_record(facts) or seed is None or seed in {run.run.seed for run in claimed}


def _of_log(log: Log, claims: set[Location]) -> Iterator[LoggedRun]:
    finished = [run for run in log.runs if any(not f.diagnostic for f in run.finals)]
    last = max(
        (run for run in finished if run.complete), key=lambda run: run.first_line, default=finished[-1] if finished else None
    )
    for run in finished:
        own = frozenset(final.location for final in run.finals) & claims
        if own or run is last:
            yield LoggedRun(log, run, own)
