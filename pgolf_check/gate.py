"""Judges a pull request from the objects of a git repository: nothing of it is checked out, imported or run."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from pgolf_check.corpus.pool import judge_all
from pgolf_check.corpus.worker import Options, Refused
from pgolf_check.errors import UserError
from pgolf_check.model import Report, Witness
from pgolf_check.report.outcome import Outcome
from pgolf_check.rules.edition import load_edition
from pgolf_check.rules.facts import Facts
from pgolf_check.rules.rulebook import load_rulebook
from pgolf_check.submission.git import Repository
from pgolf_check.submission.git_diff import tree_paths
from pgolf_check.submission.model import Submission
from pgolf_check.submission.pull_request import Change, Edit, PullRequest
from pgolf_check.verdict import judge

FOLDERS = 50
"""Submissions of one pull request that are judged."""
EDITS_OUTSIDE_FOLDER = "P104"


def judge_pull_request(repository: Repository, pull_request: PullRequest, options: Options, time_limit: float) -> Outcome:
    """The outcome for every submission that the pull request adds or changes, by path."""
    subject = f"commit {pull_request.head} on {pull_request.base}"
    submissions = submissions_of(pull_request, tree_paths(repository, pull_request.head))
    if not submissions:
        return Outcome((_changes_alone(pull_request, options),), subject=subject)
    if len(submissions) > FOLDERS:
        told = f"the pull request adds or changes {len(submissions):,} submissions, of which none was judged; expected one, at most {FOLDERS}"
        return Outcome((_changes_alone(pull_request, options),), (told,), subject=subject)
    asked = {f"{pull_request.head}:{path}": path for path in submissions}
    chosen = replace(options, repo=repository.path, pull_request=pull_request)
    jobs = min(len(asked), os.cpu_count() or 1)
    answers = sorted(judge_all(asked, chosen, jobs=jobs, time_limit=time_limit), key=lambda answered: answered.path)
    reports = [replace(a.result, path=asked[a.path]) for a in answers if isinstance(a.result, Report)]
    return Outcome(tuple(reports), tuple(a.result.message for a in answers if isinstance(a.result, Refused)), subject=subject)


def submissions_of(pull_request: PullRequest, paths: Iterable[str]) -> list[str]:
    """The folders to judge, by name; `paths` are those of the head.

    A folder below a submission folder that has its own submission.json is judged, too, if something in it changed.
    """
    marked = {path.rpartition("/")[0] for path in paths if path.endswith("/submission.json")}
    found: set[str] = set()
    for folder in pull_request.folders():
        changed = [c for c in pull_request.changes if c.folder == folder and c.edit is not Edit.DELETED]
        inner = {above for change in changed for above in _between(change, folder) if above in marked}
        found |= inner if folder in marked or len(inner) > 1 else set()
        found |= {folder} if folder in marked or len(inner) < 2 else set()
    return sorted(found)


def refuse_own(files: Iterable[str], repository: Repository, pull_request: PullRequest) -> None:
    """Raise UserError if one of the reviewer's files is as the pull request made it."""
    top = repository.top()
    changed = {change.path for change in pull_request.changes if change.edit is not Edit.DELETED}
    for file in files:
        path = Path(file).resolve()
        inside = path.relative_to(top).as_posix() if top and path.is_relative_to(top) else ""
        if inside in changed and path.read_bytes() == repository.run("cat-file", "blob", f"{pull_request.head}:{inside}"):
            raise UserError(f"{file}: this file comes from the pull request that is judged; name the reviewer's own")


def _between(change: Change, folder: str) -> Iterator[str]:
    """The folders above a changed path that lie below its submission folder."""
    above = change.path.rpartition("/")[0]
    while above != folder:
        yield above
        above = above.rpartition("/")[0]


def _changes_alone(pull_request: PullRequest, options: Options) -> Report:
    """What P104 says of a pull request whose submissions, if any, are not judged."""
    facts = Facts(
        submission=Submission(".", (), {}, "", None, (), ()),
        edition=load_edition(options.edition),
        witnesses=frozenset({Witness.PAPER}),
        as_of=options.as_of,
        profile=options.profile,
        pull_request=pull_request,
    )
    return judge(facts, load_rulebook(), (EDITS_OUTSIDE_FOLDER,), options.ignore, waivers=options.waivers)
