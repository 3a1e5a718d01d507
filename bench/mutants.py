"""Recall on breaches that are put into legal scripts at run time; writes mutants.md beside this file.

    python bench/mutants.py LIST [--lineages N]

LIST names legal scripts, one path a line. Scripts are taken in its order, as long as each shares less than half of its functions with every one
before (a lineage of its own). Each mutation of `mutations.py` is put into the decoded source of each; the submission is then judged by the static
witness, once as it was and once with the breach. Mutants live in a temporary folder and are never kept.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import libcst as cst
from mutations import MUTATIONS, Mutation
from rich.progress import track

from pgolf_check.audit import audit
from pgolf_check.model import Severity, Witness
from pgolf_check.static import ir
from pgolf_check.static.engine import analyse
from pgolf_check.static.lower import CannotParse, lower
from pgolf_check.static.walk import walk
from pgolf_check.submission.load import load

HERE = Path(__file__).resolve().parent
LIMIT = 4 << 20
SHARED = 0.5
"""Two scripts are of one lineage if they have at least this share of their functions in common."""


@dataclass
class Tally:
    """What became of one mutation: scripts that had a place for it, findings in them and in the same scripts as they were."""

    mutation: Mutation
    tried: int = 0
    blocked: int = 0
    reviewed: int = 0
    before: int = 0
    missed: list[str] = field(default_factory=list)

    @property
    def caught(self) -> int:
        return self.blocked + self.reviewed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("list", type=Path)
    parser.add_argument("--lineages", type=int, default=12)
    args = parser.parse_args()
    paths = [Path(line) for line in args.list.read_text().splitlines() if line]
    chosen = list(lineages(paths, args.lineages))
    tallies = [Tally(mutation) for mutation in MUTATIONS]
    for path, text in track(chosen, description="lineages"):
        measure(path, text, tallies)
    (HERE / "mutants.md").write_text(report(len(chosen), tallies))


def lineages(paths: Sequence[Path], most: int) -> Iterator[tuple[Path, str]]:
    """Scripts of different lineages, each with its decoded source."""
    kept: list[frozenset[str]] = []
    for path in paths:
        submission = load(str(path))
        script = submission.scripts.get(submission.entry)
        names = functions(script.text) if script is not None and script.text is not None else frozenset()
        if len(kept) < most and names and all(len(names & other) < SHARED * min(len(names), len(other)) for other in kept):
            assert script is not None and script.text is not None
            kept.append(names)
            yield path, script.text


def functions(text: str) -> frozenset[str]:
    """The names of the functions of a source; none if it does not parse."""
    try:
        return frozenset(node.name for node in walk(lower(text)) if isinstance(node, ir.Function))
    except CannotParse:
        return frozenset()


def measure(path: Path, text: str, tallies: Sequence[Tally]) -> None:
    """Judge a script as it is, and with each mutation that it has a place for."""
    before, lines = judged(path, text), claimed_lines(path)
    for tally in tallies:
        mutant = mutated(tally.mutation, text, lines)
        if mutant is None:
            continue
        rule = tally.mutation.rule
        found = judged(path, mutant).get(rule)
        tally.tried += 1
        tally.before += rule in before
        tally.blocked += found is Severity.BLOCK
        tally.reviewed += found is Severity.REVIEW
        if found is None:
            tally.missed.append(path.parent.name)


def claimed_lines(path: Path) -> frozenset[int]:
    """The lines of the entry script at which the scores of the claim are taken."""
    submission = load(str(path))
    claims = [run.claim for run in analyse(submission).runs[:1] if run.claim is not None]
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


def report(count: int, tallies: Sequence[Tally]) -> str:
    lines = [
        "# Breaches put into legal scripts",
        "",
        f"Made by `python bench/mutants.py`, from legal labelled scripts of {count} lineages (no two share half of their functions), static witness.",
        "*Caught* counts block and review findings of the very rule; *before* those in the same scripts without the breach.",
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
