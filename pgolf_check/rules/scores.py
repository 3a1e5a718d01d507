"""The score of each run of a submission, and the moment that it claims to have been made."""

from __future__ import annotations

import datetime
import math
import re
import statistics
from dataclasses import dataclass
from pathlib import PurePosixPath

from pgolf_check.rules.facts import Facts
from pgolf_check.rules.runs import LoggedRun, counted_runs
from pgolf_check.submission.model import FinalLine, Submission

DATE = re.compile(r"(20\d\d)[-_](\d\d)[-_](\d\d)")


@dataclass(frozen=True, slots=True)
class Scores:
    """One final line for each distinct run, all of the claimed label where one is claimed."""

    lines: tuple[FinalLine, ...]

    @property
    def values(self) -> tuple[float, ...]:
        return tuple(line.val_bpb for line in self.lines)

    @property
    def mean(self) -> float:
        return statistics.fmean(self.values)

    @property
    def tokens_per_byte(self) -> float | None:
        """As a line with val_loss and val_bpb implies."""
        line = next((f for f in self.lines if f.val_loss), None)
        return None if line is None or not line.val_loss else line.val_bpb * math.log(2) / line.val_loss


def run_scores(submission: Submission) -> Scores | None:
    """The scores of the runs that count; None if no log states one."""
    runs = [logged for logged in counted_runs(submission) if logged.scores]
    labels = {f.label for r in runs for f in r.scores if f.location in r.claims}
    found: dict[object, FinalLine] = {}
    for number, logged in enumerate(runs):
        fitting = [f for f in logged.scores if f.label in labels] or ([] if labels else [*logged.scores])
        if fitting:
            key = ("seed", logged.run.seed) if logged.run.seed is not None else ("run", number)
            chosen = max(fitting, key=lambda f: (f.location in logged.claims, f.digits, f.location.line))
            found[key] = exact_line(logged, chosen)
    return Scores(tuple(found.values())) if found else None


def exact_line(logged: LoggedRun, line: FinalLine) -> FinalLine:
    """The line of the run that states the same score with the most digits."""
    same = [f for f in logged.scores if abs(f.val_bpb - line.val_bpb) <= 0.6 * 10.0**-line.digits]
    return max(same, key=lambda f: f.digits, default=line)


def moment(facts: Facts) -> tuple[str, datetime.datetime]:
    """(folder, moment) against which the standing record is sought.

    The reviewer's day; the pull request's moment for a folder of the leaderboard; else the later of the dates that folder and metadata
    claim; without any, the end of the leaderboard.
    """
    folder = PurePosixPath(facts.submission.path.rpartition(":")[2]).name
    row = next((r for r in facts.edition.leaderboard if r.folder == folder), None)
    if facts.as_of is not None:
        return folder, _start(facts.as_of)
    if row is not None:
        return folder, row.created
    metadata = facts.submission.metadata
    stated = str(metadata.data.get("date", "")) if metadata is not None else ""
    claimed = [day for text in (folder, stated) if (day := _date(text)) is not None]
    if claimed:
        return folder, _start(max(claimed))
    return folder, max((r.created for r in facts.edition.leaderboard), default=_start(datetime.date.max)) + datetime.timedelta(
        seconds=1
    )


def _start(day: datetime.date) -> datetime.datetime:
    return datetime.datetime.combine(day, datetime.time(), datetime.UTC)


def _date(text: str) -> datetime.date | None:
    match = DATE.search(text)
    try:
        return datetime.date(*map(int, match.groups())) if match else None
    except ValueError:
        return None
