"""What pull requests change beside their submission folder, as P104 sees it, over all pull request heads of a mirror.

    python bench/pull_request_edits.py GIT_DIR

GIT_DIR is a copy of the challenge repository with refs/pull/N/head (`git clone --mirror`). A pull request whose head the main branch
has is compared with the first parent of the commit that merged it. Writes pull_request_edits.md beside this file.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from pathlib import Path

from pgolf_check.errors import UserError
from pgolf_check.rules.edition import load_edition
from pgolf_check.rules.facts import Facts
from pgolf_check.rules.p104_edits_outside_folder import check
from pgolf_check.submission.git import Repository
from pgolf_check.submission.git_diff import read_pull_request
from pgolf_check.submission.model import Submission
from pgolf_check.submission.pull_request import PullRequest

HERE = Path(__file__).resolve().parent
KINDS = {
    "changes nothing": "changes nothing",
    "adds no submission": "adds no submission folder",
    "outside the submission": "changes paths outside the submission folders",
    "stand already": "changes submissions that stand already",
    "submission folders, expected one": "adds several submission folders",
    "lies elsewhere": "adds submodules or links that leave the folder",
}


def read(repository: Repository, ref: str) -> PullRequest:
    found = read_pull_request(repository, "HEAD", ref)
    if found.changes:
        return found
    path = ("rev-list", "--ancestry-path", "--first-parent", "--merges", "--reverse", f"{found.head}..HEAD")
    merges = repository.run(*path).decode().split()
    return read_pull_request(repository, f"{merges[0]}^1", ref) if merges else found


def kinds(pull_request: PullRequest) -> list[str]:
    """The kinds of the findings; the rule is asked as for a submission at the top of the repository."""
    top = Submission(".", (), {}, "", None, (), ())
    answer = check(Facts(top, load_edition(None), pull_request=pull_request))
    return [next(kind for part, kind in KINDS.items() if part in finding.message) for finding in answer.findings]


def main(git_dir: str) -> None:
    repository = Repository(git_dir)
    refs = repository.run("for-each-ref", "--format=%(refname)", "refs/pull/*/head").decode().split()
    found: Counter[str] = Counter()
    passed = records = unread = 0
    began = time.perf_counter()
    for ref in refs:
        try:
            pull_request = read(repository, ref)
        except UserError:
            unread += 1
            continue
        records += any(change.path.startswith("records/") for change in pull_request.changes)
        told = kinds(pull_request)
        passed += not told
        found.update(told)
    seconds = time.perf_counter() - began
    lines = [
        "# What pull requests change beside their folder",
        "",
        "Command: `python bench/pull_request_edits.py GIT_DIR` on a mirror of openai/parameter-golf at "
        f"{repository.resolve('HEAD', 'commit')[:8]}; {seconds:.0f} s on one core.",
        "",
        f"{len(refs):,} heads, of which {unread} have no commit in common with the main branch and {records:,} touch records/.",
        "",
        "| finding of P104 | pull requests |",
        "|---|---:|",
        f"| none | {passed:,} |",
        *(f"| {kind} | {count:,} |" for kind, count in found.most_common()),
    ]
    (HERE / "pull_request_edits.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
