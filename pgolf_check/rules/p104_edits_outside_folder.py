"""P104: a pull request adds one new folder below records/<track>/ and changes nothing else.

A pull request that adds no such folder may be maintenance, so what it changes is left to a person. Several new folders ask for review
under `precedent`, since such pull requests were merged.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Sequence

from pgolf_check.model import Answer, Certainty, Figure, Finding, Location, Severity, Status, Witness
from pgolf_check.rules.answers import failed
from pgolf_check.rules.facts import Facts
from pgolf_check.submission.pull_request import Change, Edit, Entry, leaves_folder

CODE = "P104"
NAMED = 5
"""Paths that a message names; the rest are counted."""
PLACES = 50


def check(facts: Facts) -> Answer:
    pull_request = facts.pull_request
    if pull_request is None:
        return Answer(CODE, Status.NOT_RUN, reason="speaks of what a pull request changes; `pgolf-check gate` judges one")
    tracks = {facts.edition.record_track, facts.edition.other_track}
    groups: dict[str, list[Change]] = {"outside": [], "standing": [], "new": []}
    for change in pull_request.changes:
        groups[_group(change, tracks, pull_request.standing)].append(change)
    new = sorted({change.folder for change in groups["new"] if change.edit is not Edit.DELETED})
    figures = [Figure("paths_outside", len(groups["outside"])), Figure("new_folders", len(new))]
    return failed(CODE, _findings(facts, groups, new), figures)


def _group(change: Change, tracks: set[str], standing: Iterable[str]) -> str:
    if not change.folder or change.folder.split("/")[1] not in tracks:
        return "outside"
    return "standing" if change.folder in standing else "new"


def _findings(facts: Facts, groups: dict[str, list[Change]], new: Sequence[str]) -> Iterator[Finding]:
    worst = Severity.BLOCK if new else Severity.REVIEW
    if not any(groups.values()):
        yield _finding(facts, "the pull request changes nothing: its base already has what it brings", (), worst)
    elif not new:
        expected = f"a submission is one new folder below records/{facts.edition.record_track}/ or {facts.edition.other_track}/"
        yield _finding(facts, f"the pull request adds no submission folder: {expected}", (), worst)
    if outside := groups["outside"]:
        told = f"the pull request changes {_count(outside)} outside the submission folders: {_names(c.path for c in outside)}"
        yield _finding(facts, told, outside, worst)
    if standing := groups["standing"]:
        told = f"the pull request changes {_count(standing)} of submissions that stand already: {_names(c.path for c in standing)}"
        yield _finding(facts, told, standing, worst)
    if len(new) > 1:
        several = Severity.REVIEW if facts.profile == "precedent" else Severity.BLOCK
        first = [next(c for c in groups["new"] if c.folder == folder) for folder in new]
        yield _finding(facts, f"the pull request adds {len(new)} submission folders, expected one: {_names(new)}", first, several)
    if foreign := [c for c in groups["new"] if _is_foreign(c)]:
        told = f"the pull request adds links or submodules whose content lies elsewhere: {_names(c.path for c in foreign)}"
        yield _finding(facts, told, foreign, worst)


def _is_foreign(change: Change) -> bool:
    if change.edit is Edit.DELETED or change.entry is Entry.FILE:
        return False
    return change.entry is Entry.SUBMODULE or leaves_folder(change)


def _finding(facts: Facts, message: str, changes: Sequence[Change], ceiling: Severity) -> Finding:
    places = tuple(Location(_within(change.path, facts.submission.folder)) for change in changes[:PLACES])
    return Finding(CODE, Witness.PAPER, Certainty.PROVEN, message, places, ceiling=ceiling)


def _within(path: str, folder: str) -> str:
    """A path of the repository, relative to the folder of the submission."""
    return posixpath.relpath(f"/{path}", f"/{folder}")


def _count(changes: Sequence[Change]) -> str:
    return f"{len(changes):,} path" + ("s" if len(changes) > 1 else "")


def _names(names: Iterable[str]) -> str:
    shown = list(names)
    more = f" and {len(shown) - NAMED:,} more" if len(shown) > NAMED else ""
    return ", ".join(shown[:NAMED]) + more
