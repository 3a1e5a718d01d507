"""P104 on pull requests built in memory: what counts as outside, and what is left to a person."""

from __future__ import annotations

import pytest
from submissions import facts, submission

from pgolf_check.model import Answer, Severity, Status
from pgolf_check.rules.p104_edits_outside_folder import PLACES, check
from pgolf_check.submission.pull_request import Change, Edit, PullRequest

NEW = "records/track_10min_16mb/new"
OLD = "records/track_10min_16mb/old"


def judge(*paths: str, edit: Edit = Edit.ADDED, profile: str = "precedent") -> Answer:
    """P104 on a pull request that adds NEW and edits these paths; OLD stands already."""
    own = Change(f"{NEW}/README.md", Edit.ADDED)
    changes = (own, *(Change(path, edit) for path in paths))
    given = submission(folder=NEW)
    return check(facts(given, profile=profile, pull_request=PullRequest("b", "h", changes, frozenset({OLD}))))


def test_it_speaks_of_pull_requests_only() -> None:
    answer = check(facts())
    assert (answer.status, answer.findings) == (Status.NOT_RUN, ())
    assert "gate" in answer.reason


def test_a_folder_of_any_depth_passes() -> None:
    assert judge(f"{NEW}/logs/a/b.log", f"{NEW}/requirements.txt").status is Status.PASS


@pytest.mark.parametrize(
    "path",
    [
        "train_gpt.py",
        "records/track_10min_16mb/notes.md",
        "records/notes.md",
        "records/another_track/new/README.md",
        "data/records/track_10min_16mb/x/README.md",
        "RECORDS/track_10min_16mb/x/README.md",
    ],
)
def test_what_is_outside(path: str) -> None:
    (finding,) = judge(path).findings
    assert finding.ceiling is Severity.BLOCK and path in finding.message
    assert finding.locations[0].path.startswith("../")


def test_what_stands_is_left_alone() -> None:
    for edit in Edit:
        (finding,) = judge(f"{OLD}/README.md", edit=edit).findings
        assert finding.ceiling is Severity.BLOCK and "stand already" in finding.message


def test_several_folders_are_reviewed_and_under_strict_refused() -> None:
    other = "records/track_non_record_16mb/other/README.md"
    assert [f.ceiling for f in judge(other).findings] == [Severity.REVIEW]
    assert [f.ceiling for f in judge(other, profile="strict").findings] == [Severity.BLOCK]


def test_without_a_new_folder_nothing_blocks() -> None:
    for changes in ((), (Change("train_gpt.py", Edit.MODIFIED),), (Change(f"{OLD}/README.md", Edit.MODIFIED),)):
        answer = check(facts(submission(folder=""), pull_request=PullRequest("b", "h", changes, frozenset({OLD}))))
        assert answer.findings
        assert {finding.ceiling for finding in answer.findings} == {Severity.REVIEW}


def test_many_paths_are_counted() -> None:
    answer = judge(*(f"x{number}" for number in range(1200)))
    (finding,) = answer.findings
    assert "1,200 paths" in finding.message and "and 1,195 more" in finding.message
    assert len(finding.locations) == PLACES
    assert {figure.name: figure.value for figure in answer.figures} == {"paths_outside": 1200, "new_folders": 1}
