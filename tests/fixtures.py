"""The fixtures as whole submissions: a case is `fixtures/_base` with the case's own files laid over it.

A case is a folder `fixtures/CODE/{reject,accept,bypass}_NAME` with an `expect.toml`:

    verdict = "ineligible"                     # what the checker says
    witnesses = ["paper"]                      # default: paper and static
    profile = "strict"                         # default: precedent
    track = "track_non_record_16mb"            # default: track_10min_16mb
    remove = ["train_seed42.log"]              # files of _base that the case does not have; shell patterns
    rename = { "train.log" = "logs/a.txt" }    # files of _base under another name
    absent = ["S101"]                          # rules without a block or review finding
    rules = { T101 = "block" }                 # rules with a finding of this severity
    pull_request = ["M train_gpt.py"]          # judged in a pull request that changes this, too: A, M or D, the path, and
                                               # "-> target" for a link or "submodule"; what it changes or deletes stood before
    [[edit]]                                   # a change to a text file of _base; the pattern must be found
    file = "train_seed42.log"                  # a shell pattern: every file that fits
    find = 'train_time:\\d+ms step'
    put = "train_time:610500ms step"

Everything else in the folder is a file of the submission.
"""

from __future__ import annotations

import re
import shutil
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pgolf_check.submission.pull_request import Change, Edit, Entry, PullRequest

ROOT = Path(__file__).resolve().parent.parent / "fixtures"
BASE = ROOT / "_base"
KINDS = ("reject", "accept", "bypass")
KEYS = {"verdict", "witnesses", "profile", "track", "remove", "rename", "absent", "rules", "edit", "pull_request"}


@dataclass(frozen=True)
class Case:
    """One fixture: the rule it is about, whether the rule must find it, and what is expected."""

    code: str
    kind: str
    folder: Path
    expect: dict[str, Any]

    @property
    def name(self) -> str:
        return f"{self.code}/{self.folder.name}"


def cases() -> list[Case]:
    """All fixtures, by name."""
    found = []
    for folder in sorted(ROOT.glob("[A-Z]*/*/")):
        kind = folder.name.partition("_")[0]
        expect = tomllib.loads((folder / "expect.toml").read_text(encoding="utf-8"))
        if kind not in KINDS or set(expect) - KEYS:
            raise ValueError(f"{folder}: a folder is named {' or '.join(KINDS)} and expect.toml knows the keys {sorted(KEYS)}")
        found.append(Case(folder.parent.name, kind, folder, expect))
    return found


def build(case: Case, destination: Path) -> Path:
    """Write the case as a submission below `destination` and return its folder."""
    submission = destination / "records" / case.expect.get("track", "track_10min_16mb") / "submission"
    shutil.copytree(BASE, submission)
    for pattern in case.expect.get("remove", []):
        for path in _matching(submission, pattern, case):
            path.unlink()
    for old, new in case.expect.get("rename", {}).items():
        (submission / new).parent.mkdir(parents=True, exist_ok=True)
        (submission / old).rename(submission / new)
    for edit in case.expect.get("edit", []):
        for path in _matching(submission, edit["file"], case):
            _edit(path, edit["find"], edit["put"], case)
    shutil.copytree(case.folder, submission, dirs_exist_ok=True, ignore=shutil.ignore_patterns("expect.toml"))
    return submission


def pull_request(case: Case, submission: Path) -> PullRequest | None:
    """The pull request that adds a built case together with what its expect.toml lists; None if the case is judged alone."""
    if "pull_request" not in case.expect:
        return None
    top = submission.parents[2]
    own = [Change(path.relative_to(top).as_posix(), Edit.ADDED) for path in submission.rglob("*") if path.is_file()]
    listed = [_change(line) for line in case.expect["pull_request"]]
    standing = frozenset(change.folder for change in listed if change.edit is not Edit.ADDED)
    return PullRequest("base", "head", tuple(sorted((*own, *listed), key=lambda change: change.path)), standing)


def _change(line: str) -> Change:
    letter, _, rest = line.partition(" ")
    edit = {"A": Edit.ADDED, "M": Edit.MODIFIED, "D": Edit.DELETED}[letter]
    path, arrow, target = rest.partition(" -> ")
    if arrow:
        return Change(path, edit, Entry.LINK, target)
    module = rest.removesuffix(" submodule")
    return Change(module, edit, Entry.SUBMODULE if module != rest else Entry.FILE)


def _matching(submission: Path, pattern: str, case: Case) -> list[Path]:
    paths = sorted(path for path in submission.rglob(pattern) if path.is_file())
    if not paths:
        raise ValueError(f"{case.name}: fixtures/_base has no file {pattern}")
    return paths


def _edit(path: Path, find: str, put: str, case: Case) -> None:
    text, count = re.subn(find, put, path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    if not count:
        raise ValueError(f"{case.name}: {path.name} has nothing that matches {find!r}")
    path.write_text(text, encoding="utf-8")
