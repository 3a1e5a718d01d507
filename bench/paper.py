"""What the paper witness finds over all pull request heads: by rule, the implied bytes, the claims, the time. Writes bench/paper.md.

    python -m bench.heads GIT_DIR --out DIR
    python -m bench.paper DIR/all.txt [--jobs N]

Every folder is judged by several processes, each with an empty cache and counting its own time, merged records excused. Then each claim is
classed, and a script whose plain total is over the cap is packed in every way, for the time that takes.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from rich.progress import track

from pgolf_check.audit import audit
from pgolf_check.errors import UserError
from pgolf_check.model import Report, Severity, Status, Witness
from pgolf_check.rules.rulebook import load_rulebook
from pgolf_check.stats.claims import Standing, headline
from pgolf_check.stats.size import packed_size
from pgolf_check.submission.load import load

T = TypeVar("T")
ALONE, LONGEST = 300, 10
"""How many submissions are judged, and how many of the slowest scripts packed, once more by a single process: two on one machine take more
time each."""
HERE = Path(__file__).resolve().parent
RIGHT_BYTES = range(151_070_000, 151_090_001)
"""Bytes of the full validation split, however it is cut into tokens; the trimmed tail moves them by some thousand."""
EARLIER = (
    ("pull requests with an implied byte count", "1,198"),
    ("of these within 0.4 % of the full split", "1,109"),
    ("folders with a claim and a log that states scores", "1,257"),
    ("claim is the score of one run", "664"),
    ("claim is a mean over the runs", "485"),
    ("claim is contradicted", "105 (8.4 %)"),
)
"""The figures of an earlier survey of the same heads, by other parsers."""
DIFFERENCES = """\
The survey counted every folder once, although several pull requests hold the same one; here each pull request's copy counts, the folders
inherited from a fork included, up to eight of one pull request. A contradicted claim is three classes here: better than any logged score,
which blocks a record where the gap is more than runs differ; other than every logged score; and that of a diagnostic line only, such as the
model before quantisation. A claim is looked for among all final lines of every run, under the label that the log gives them, and its own
decimals are its tolerance, where the survey compared the last final line and allowed 1e-5. The implied bytes of a pull request are within the
range only if those of every run of all its folders are; the survey took the line with the most digits, and a wider range.
"""


@dataclass(frozen=True, slots=True)
class Judged:
    """The report on one folder and the processor time that it took."""

    path: str
    report: Report
    seconds: float


@dataclass(frozen=True, slots=True)
class Measured:
    """How the claim of one folder stands, and the processor time of packing its script in every way."""

    path: str
    standing: Standing | None
    packing_seconds: float | None


@dataclass(frozen=True, slots=True)
class Ran:
    """How everything was judged: processes, seconds from start to end, and folders refused."""

    jobs: int
    seconds: float
    refused: int
    alone: Sequence[float]
    """Seconds of processor time of a random sample of submissions that need no packing, one after the other."""
    packing_alone: Sequence[float]
    """The same of packing those scripts that took longest, once more and each by itself."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("list", type=Path, help="a list of bench.heads: one folder a line")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--out", type=Path, default=HERE / "paper.md")
    args = parser.parse_args()
    paths = args.list.read_text().split("\n")[:-1]
    with ProcessPoolExecutor(args.jobs) as pool:
        began = time.perf_counter()
        judged = [found for found in track(pool.map(judge, paths), total=len(paths), description="judged") if found is not None]
        wall = time.perf_counter() - began
        measured = list(track(pool.map(measure, judged), total=len(judged), description="measured"))
    alone = [found.seconds for found in map(judge, track(alone_sample(measured), description="alone")) if found is not None]
    packing_alone = [packing_seconds(m.path) for m in track(longest_packings(measured), description="packing alone")]
    readings = [json.loads(line) for line in (HERE / "readings.jsonl").read_text().splitlines()]
    text = page(
        judged,
        measured,
        Ran(args.jobs, wall, len(paths) - len(judged), alone, packing_alone),
        [r for r in readings if r["witness"] == "paper"],
    )
    args.out.write_text(text, encoding="utf-8")


def judge(path: str) -> Judged | None:
    """What the paper witness says of a folder; None where it is refused, because it holds several submissions."""
    with tempfile.TemporaryDirectory() as cache:
        os.environ["PGOLF_CACHE_DIR"] = cache
        try:
            seconds, report = timed(lambda: audit(path, witnesses={Witness.PAPER}))
        except UserError:
            return None
    return Judged(path, replace(report, sources={}), seconds)


def measure(judged: Judged) -> Measured:
    claim = headline(load(judged.path))
    packing = packing_seconds(judged.path) if "packed_total" in figures(judged.report) else None
    return Measured(judged.path, claim.standing if claim else None, packing)


def packing_seconds(path: str) -> float:
    """Of packing the script of a submission in every way."""
    submission = load(path)
    script = submission.scripts[submission.entry]
    seconds, _ = timed(lambda: packed_size(script.text or ""))
    return seconds


def timed(work: Callable[[], T]) -> tuple[float, T]:
    """(seconds of processor time, result)."""
    began = time.process_time()
    result = work()
    return time.process_time() - began, result


def alone_sample(measured: Sequence[Measured]) -> list[str]:
    """A random part of the submissions that need no packing."""
    unpacked = [m.path for m in measured if m.packing_seconds is None]
    return random.Random(0).sample(unpacked, min(ALONE, len(unpacked)))


def longest_packings(measured: Sequence[Measured]) -> list[Measured]:
    packed = [m for m in measured if m.packing_seconds is not None]
    return sorted(packed, key=lambda m: m.packing_seconds or 0.0)[-LONGEST:]


def figures(report: Report) -> dict[str, object]:
    return {figure.name: figure.value for answer in report.answers for figure in answer.figures}


def pull_request(path: str) -> str:
    """The folder of `bench.heads` that a path lies in: one for each pull request."""
    found = re.search(r"/(\d+-[0-9a-f]{8})/", path)
    return found[1] if found else path


def page(judged: Sequence[Judged], measured: Sequence[Measured], run: Ran, readings: Sequence[dict[str, object]]) -> str:
    """The Markdown of everything that was measured."""
    parts = [
        "# What the paper witness finds in pull requests",
        "Command: `python -m bench.heads GIT_DIR --out DIR && python -m bench.paper DIR/all.txt` on a mirror of the challenge repository. "
        f"{len(judged):,} submission folders, of {len({pull_request(j.path) for j in judged}):,} pull request heads; "
        f"{run.refused} folders refused because they hold several submissions.",
        *section("Findings by rule", by_rule(j.report for j in judged), RULES_TOLD),
        *section("Bytes that the logs imply", implied(judged)),
        *section("Claims against logs", claims(measured)),
        *section("Compared with an earlier survey", [("", "survey"), *EARLIER], DIFFERENCES.strip().replace("\n", " ")),
        *section("Blocks read by hand", read_by_hand(readings), READ_TOLD),
        *section("Time", times(judged, measured, run), TIME_TOLD),
    ]
    return "\n\n".join(parts) + "\n"


RULES_TOLD = (
    "Folders in which the rule blocks, asks for review, leaves a note, and in which it could not decide. A folder counts once for each "
    "rule, at the worst severity."
)


READ_TOLD = (
    "One line each in `readings.jsonl`; what was read wrong is mended where its note says so. The second row is every block by a B, S or T "
    "rule in the folder of a script whose code is labelled legal, merged records that stand excused left out."
)
TIME_TOLD = (
    "Seconds of processor time with an empty cache, but for the last row. Judging ends a packing with the first form that fits."
)


def section(title: str, rows: Sequence[Sequence[str]], told: str = "") -> Iterator[str]:
    yield f"## {title}"
    if told:
        yield told
    head, *body = rows
    yield "\n".join([f"| {' | '.join(head)} |", "|---|" + "---:|" * (len(head) - 1), *(f"| {' | '.join(row)} |" for row in body)])


def by_rule(reports: Iterable[Report]) -> list[tuple[str, ...]]:
    """Rule, name, and the number of folders at each severity."""
    counted: dict[str, Counter[object]] = defaultdict(Counter)
    for report in reports:
        worst: dict[str, Severity] = {}
        for judged in report.findings:
            worst.setdefault(judged.finding.rule, judged.severity)
        for rule, severity in worst.items():
            counted[rule][severity] += 1
        for answer in report.answers:
            counted[answer.rule][answer.status] += 1
    kinds = (Severity.BLOCK, Severity.REVIEW, Severity.NOTE, Status.NOT_ANALYSED)
    names = {rule: page.name for rule, page in load_rulebook().rules.items()}
    rows = [(f"{rule} {names[rule]}", *(f"{counted[rule][kind]:,}" for kind in kinds)) for rule in sorted(counted)]
    return [("rule", "block", "review", "note", "undecided"), *(row for row in rows if any(cell != "0" for cell in row[1:]))]


def implied(judged: Sequence[Judged]) -> list[tuple[str, str]]:
    """How many pull requests tell the bytes that they divide by, and how many of these are right."""
    known: dict[str, list[int]] = defaultdict(list)
    for one in judged:
        value = figures(one.report).get("implied_bytes")
        if isinstance(value, int):
            known[pull_request(one.path)].append(value)
    right = sum(all(value in RIGHT_BYTES for value in values) for values in known.values())
    wrong = Counter(round(value / 1e6, 1) for values in known.values() for value in values if value not in RIGHT_BYTES)
    common = [(f"folders at {millions:,} million", f"{count:,}") for millions, count in wrong.most_common(8)]
    return [
        ("", "number"),
        ("pull requests whose logs imply a byte count", f"{len(known):,}"),
        ("all of it within 151.07 to 151.09 million", f"{right:,}"),
        *common,
    ]


def claims(measured: Sequence[Measured]) -> list[tuple[str, ...]]:
    """The classes of the claims by track; a claim without a log that states a score has none."""
    counted = Counter((m.standing, "track_non_record" not in m.path) for m in measured)
    rows = [("class", "record track", "other track")]
    rows += [(s.value, f"{counted[s, True]:,}", f"{counted[s, False]:,}") for s in Standing]
    rows.append(("no claim", f"{counted[None, True]:,}", f"{counted[None, False]:,}"))
    classed = sum(n for (standing, _), n in counted.items() if standing not in (None, Standing.UNLOGGED))
    return [*rows, ("classed, both tracks", f"{classed:,}", "")]


def read_by_hand(readings: Sequence[dict[str, object]]) -> list[tuple[str, ...]]:
    counted = Counter((reading["verdict"], reading["reading"]) for reading in readings)
    kinds = ("right", "wrong", "unclear")
    samples = (("at random, any rule", "block"), ("B, S and T, folders of legal code", "block of a legal code row"))
    return [("blocks", *kinds), *((name, *(f"{counted[verdict, kind]}" for kind in kinds)) for name, verdict in samples)]


def times(judged: Sequence[Judged], measured: Sequence[Measured], run: Ran) -> list[tuple[str, str]]:
    """Seconds of one submission and of all; those of packing in every way are apart."""
    packing = [m.packing_seconds for m in measured if m.packing_seconds is not None]
    every = [j.seconds for j in judged]
    unpacked = [j.seconds for j, m in zip(judged, measured, strict=True) if m.packing_seconds is None]
    return [
        ("", "seconds"),
        (f"submissions that need no packing ({len(unpacked):,}), median", f"{share(unpacked, 0.5):.3f}"),
        ("the same, mean", f"{mean(unpacked):.3f}"),
        ("the same, 90 of 100 are below", f"{share(unpacked, 0.9):.3f}"),
        (f"the same, {len(run.alone)} of them at random once more by a single process, median", f"{share(run.alone, 0.5):.3f}"),
        ("the same, mean", f"{mean(run.alone):.3f}"),
        (f"all submissions ({len(every):,}), mean", f"{mean(every):.3f}"),
        ("the same, 99 of 100 are below", f"{share(every, 0.99):.2f}"),
        ("the same, longest", f"{max(every, default=0.0):.2f}"),
        ("the same, sum", f"{sum(every):.0f}"),
        (f"packing a script in every way ({len(packing):,}), median", f"{share(packing, 0.5):.2f}"),
        ("the same, longest", f"{max(packing, default=0.0):.2f}"),
        (
            f"the same, longest of the {len(run.packing_alone)} slowest once more by a single process",
            f"{max(run.packing_alone, default=0.0):.2f}",
        ),
        (f"all submissions, {run.jobs} workers, from start to end", f"{run.seconds:.0f}"),
    ]


def mean(values: Sequence[float]) -> float:
    return sum(values) / max(1, len(values))


def share(values: Iterable[float], part: float) -> float:
    """The value below which a part of them lies."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))] if ordered else 0.0


if __name__ == "__main__":
    main()
