"""Counts on which Python files of all pull request heads of a mirror the static witness crashes, and what it leaves not analysed.

    python -m bench.fuzz_heads GIT_DIR [--sample N] [--jobs N]

GIT_DIR is a copy of the challenge repository with refs/pull/N/head (`git clone --mirror`). Every distinct file under records/ is judged
alone, in a folder of its own; a sample holds the files whose git hashes come first, which is as good as a random choice. Numbers, places
and quoted names are left out of the reasons that are counted. Exits with 1 if anything crashed.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from pgolf_check.corpus.pool import Answered, judge_all
from pgolf_check.corpus.worker import Options, Refused
from pgolf_check.model import Witness
from pgolf_check.submission.git import Repository

DETAIL = re.compile(r"\([^()]*\)|\"[^\"]*\"|'[^']*'|[\w.]*\d[\w.,]*|(?<=^)[\w.]+(?= is not known)|(?<=the C function )\w+")
WRITTEN = 200
"""Files that lie in the temporary folder at a time."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("git_dir")
    parser.add_argument("--sample", type=int)
    parser.add_argument("--jobs", type=int, default=1)
    args = parser.parse_args()
    repository = Repository(args.git_dir)
    blobs = scripts(repository)
    began = time.perf_counter()
    told = Tally()
    for answered in judged(repository, blobs[: args.sample], args.jobs):
        told.add(answered)
    print(f"{told.files} of {len(blobs)} files in {time.perf_counter() - began:.0f} s", told.text(), sep="\n")
    return 1 if told.crashes else 0


def scripts(repository: Repository) -> list[str]:
    """The git hashes of the Python files under records/ in all heads, each once, in order."""
    found: set[str] = set()
    refs = repository.run("for-each-ref", "--format=%(refname)", "refs/pull/*/head").decode().split()
    for ref in refs:
        for row in repository.run("ls-tree", "-r", "-z", "--full-tree", ref, "records/").split(b"\0"):
            meta, _, path = row.partition(b"\t")
            if path.endswith(b".py") and meta.startswith(b"100"):
                found.add(meta.split()[2].decode())
    return sorted(found)


def judged(repository: Repository, blobs: Sequence[str], jobs: int) -> Iterator[Answered]:
    for first in range(0, len(blobs), WRITTEN):
        part = blobs[first : first + WRITTEN]
        with tempfile.TemporaryDirectory(prefix="pgolf-heads-") as folder:
            paths = [written(Path(folder, name), content) for name, content in zip(part, repository.blobs(part), strict=True)]
            yield from judge_all(paths, Options(witnesses=frozenset({Witness.STATIC})), jobs=jobs)


def written(folder: Path, content: bytes | None) -> str:
    folder.mkdir()
    (folder / "README.md").write_text("# One script\n", encoding="utf-8")
    (folder / "train_gpt.py").write_bytes(content or b"")
    return str(folder / "train_gpt.py")


class Tally:
    """What became of the files: crashes with the hash of the file, reasons of X101 and X102 by the number of files."""

    def __init__(self) -> None:
        self.files = 0
        self.slowest = 0.0
        self.crashes: list[str] = []
        self.reasons: Counter[str] = Counter()

    def add(self, answered: Answered) -> None:
        self.files += 1
        self.slowest = max(self.slowest, answered.seconds)
        name = Path(answered.path).parent.name
        if isinstance(answered.result, Refused):
            self.crashes.append(f"{name}: {answered.result.message}")
            return
        found = [judged.finding for judged in answered.result.findings]
        self.crashes += [f"{name}: {finding.message}" for finding in found if finding.rule == "X103"]
        self.reasons.update(reasons((f.rule, f.message) for f in found if f.rule in ("X101", "X102")))

    def text(self) -> str:
        lines = [f"{len(self.crashes)} crashes", *self.crashes, f"slowest {self.slowest:.1f} s", "files with a finding of"]
        return "\n".join([*lines, *(f"{count:6} {reason}" for reason, count in self.reasons.most_common())])


def reasons(findings: Iterable[tuple[str, str]]) -> set[str]:
    """The reasons of one file without what belongs to it alone."""
    return {f"{rule} {DETAIL.sub('~', message)}" for rule, message in findings}


if __name__ == "__main__":
    sys.exit(main())
