"""Recall on breaches that are put into legal scripts at run time; writes mutants.md beside this file.

    python bench/mutants.py LIST [--lineages N]

LIST names legal scripts, one path a line. Each mutation of `mutations.py` is put into the decoded source of N of them that have a place for it,
taken in the order of the list and of different lineages. The submission is judged by the static witness, as it was and with the breach.
Mutants live in a temporary folder and are never kept.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import libcst as cst
from mutations import MUTATIONS, Mutation
from rich.progress import track

from pgolf_check.audit import audit
from pgolf_check.model import Severity, Witness
from pgolf_check.static import ir
from pgolf_check.static.cache import analysis_cached
from pgolf_check.static.engine import analyse
from pgolf_check.static.lower import CannotParse, lower
from pgolf_check.static.walk import walk
from pgolf_check.submission.load import load
from pgolf_check.submission.model import Submission

HERE = Path(__file__).resolve().parent
LIMIT = 4 << 20
SHARED = 0.5
"""Two scripts are of one lineage if at least this share of the functions that they have is in both."""


@dataclass
class Tally:
    """What became of one mutation: scripts that had a place for it, findings in them and in the same scripts as they were."""

    mutation: Mutation
    blocked: int = 0
    reviewed: int = 0
    before: int = 0
    lineages: list[frozenset[str]] = field(default_factory=list)
    """The functions of each script."""

    @property
    def tried(self) -> int:
        return len(self.lineages)

    @property
    def caught(self) -> int:
        return self.blocked + self.reviewed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("list", type=Path)
    parser.add_argument("--lineages", type=int, default=6)
    args = parser.parse_args()
    paths = [Path(line) for line in args.list.read_text().splitlines() if line]
    tallies = [Tally(mutation) for mutation in MUTATIONS]
    for path in track(paths, description="scripts"):
        measure(path, [tally for tally in tallies if tally.tried < args.lineages])
    (HERE / "mutants.md").write_text(report(tallies))


def functions(text: str) -> frozenset[str]:
    """The names of the functions of a source; none if it does not parse."""
    try:
        return frozenset(node.name for node in walk(lower(text)) if isinstance(node, ir.Function))
    except CannotParse:
        return frozenset()


def measure(path: Path, tallies: Sequence[Tally]) -> None:
    """Judge a script with each mutation that it has a place for and no script of its lineage had before; and as it is, if there is one."""
    submission = load(str(path))
    script = submission.scripts.get(submission.entry)
    if not tallies or script is None or script.text is None or path.name != submission.entry:
        return
    names, lines = functions(script.text), claimed_lines(submission)
    before: dict[str, Severity] | None = None
    for tally in tallies:
        mutant = mutated(tally.mutation, script.text, lines) if new_lineage(names, tally.lineages) else None
        if mutant is None:
            continue
        before = judged(path, script.text) if before is None else before
        found = judged(path, mutant).get(tally.mutation.rule)
        tally.lineages.append(names)
        tally.before += tally.mutation.rule in before
        tally.blocked += found is Severity.BLOCK
        tally.reviewed += found is Severity.REVIEW


def new_lineage(names: frozenset[str], others: Sequence[frozenset[str]]) -> bool:
    """Whether the functions of a script are its own: with each other script, they share less than half of all that the two have."""
    return bool(names) and all(len(names & other) < SHARED * len(names | other) for other in others)


def claimed_lines(submission: Submission) -> frozenset[int]:
    """The lines of the entry script at which the scores of the claim are taken."""
    claims = [run.claim for run in analysis_cached(submission, analyse).runs[:1] if run.claim is not None]
    places = [score.location for claim in claims for score in claim.scores]
    return frozenset(place.line for place in places if place.path == submission.entry)


def mutated(mutation: Mutation, text: str, lines: frozenset[int]) -> str | None:
    try:
        return mutation.apply(text, lines)
    except cst.ParserSyntaxError:
        return None


def judged(path: Path, text: str) -> dict[str, Severity]:
    """The rules that the static witness finds broken in the submission of a script with another text, each with its worst severity."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "records" / path.parent.parent.name / path.parent.name
        shutil.copytree(path.parent, place, ignore=large)
        (place / path.name).write_text(text, encoding="utf-8")
        report = audit(str(place / path.name), witnesses=frozenset({Witness.STATIC}), grandfather=False)
    found: dict[str, Severity] = {}
    for judged_finding in report.findings:
        rule, severity = judged_finding.finding.rule, judged_finding.severity
        if severity is not Severity.NOTE and found.get(rule) is not Severity.BLOCK:
            found[rule] = severity
    return found


def large(folder: str, names: list[str]) -> list[str]:
    """The files of a folder that no rule reads."""
    return [name for name in names if (path := Path(folder) / name).is_file() and path.stat().st_size > LIMIT]


def report(tallies: Sequence[Tally]) -> str:
    lines = [
        "# Breaches put into legal scripts",
        "",
        "Made by `python bench/mutants.py`, from legal labelled scripts, static witness. The scripts of one row are of different lineages: no two share",
        "half of their functions. *Caught* counts block and review findings of the very rule; *before* those in the same scripts without the breach.",
        "",
        "| rule | breach | scripts | caught | of these block | before |",
        "|---|---|---:|---:|---:|---:|",
    ]
    for t in tallies:
        lines.append(f"| {t.mutation.rule} | {t.mutation.told} | {t.tried} | {t.caught} | {t.blocked} | {t.before} |")
    tried, caught = sum(t.tried for t in tallies), sum(t.caught for t in tallies)
    lines += [
        "",
        f"In all {caught} of {tried} were caught. C107 (a matter of what a README tells), B103 (of a log) and D107 (of the",
        "",
    ]
    lines[-2] += " tokenizer) have no such mutant: no line of a training script breaks them."
    return "\n".join(lines)


if __name__ == "__main__":
    main()
