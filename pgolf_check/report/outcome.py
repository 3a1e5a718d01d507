"""What one command found, for the formats that show everything in one document."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from pgolf_check.model import Answer, JudgedFinding, Report, Severity, Status, Verdict

REFUSED = 2
RANK = {Severity.BLOCK: 0, Severity.REVIEW: 1, Severity.NOTE: 2}


@dataclass(frozen=True, slots=True)
class Outcome:
    """The reports of all submissions.

    `refused` has a sentence for each path that could not be judged, `remarks` for each waiver that was of no use; `subject` names the
    commits, where a pull request is judged.
    """

    reports: tuple[Report, ...]
    refused: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    subject: str = ""

    @property
    def exit_code(self) -> int:
        return worst([report.verdict.exit_code for report in self.reports] + [REFUSED] * bool(self.refused))

    @property
    def verdict(self) -> Verdict:
        """The worst of all; a path that could not be judged is incomplete."""
        reached = {report.verdict for report in self.reports} | ({Verdict.INCOMPLETE} if self.refused else set())
        return next((verdict for verdict in Verdict if verdict in reached), Verdict.CLEAN)

    def findings(self) -> list[tuple[Report, JudgedFinding]]:
        """All findings, the worst first, then in the order of the reports."""
        found = [(report, judged) for report in self.reports for judged in report.findings]
        return sorted(found, key=lambda pair: RANK[pair[1].severity])

    def undecided(self) -> Iterator[tuple[Report, Answer]]:
        """The rules that could not decide, by report."""
        for report in self.reports:
            for answer in report.answers:
                if answer.status is Status.NOT_ANALYSED:
                    yield report, answer


def worst(codes: Iterable[int]) -> int:
    """The exit code of several submissions: that of the first verdict in the order of precedence."""
    found = set(codes)
    return next((code for code in (1, REFUSED, 3) if code in found), 0)
