"""What a pull request changes is read from git objects: merge base, renames, links, submodules and names of any bytes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from gate.repository import NEW, STANDING, Challenge

from pgolf_check.errors import UserError
from pgolf_check.gate import submissions_of
from pgolf_check.submission.git import Repository
from pgolf_check.submission.git_diff import read_pull_request
from pgolf_check.submission.pull_request import Change, Edit, Entry, PullRequest, leaves_folder, submission_folder


@pytest.fixture
def challenge(tmp_path: Path) -> Challenge:
    return Challenge(tmp_path / "repo")


def read(challenge: Challenge, head: str = "pr") -> PullRequest:
    return read_pull_request(Repository(str(challenge.path)), "main", head)


def test_a_change_is_what_differs_from_the_merge_base(challenge: Challenge) -> None:
    with challenge.pull_request("pr"):
        challenge.write("train_gpt.py", "print('faster')\n")
        challenge.write(f"{NEW}/README.md", "new\n")
        (challenge.path / STANDING / "train_seed42.log").unlink()
    challenge.write("README.md", "main moved on\n")
    challenge.commit()
    found = read(challenge)
    assert found.changes == (
        Change(f"{STANDING}/train_seed42.log", Edit.DELETED),
        Change(f"{NEW}/README.md", Edit.ADDED),
        Change("train_gpt.py", Edit.MODIFIED),
    )
    assert (found.standing, found.folders()) == (frozenset({STANDING}), (NEW,))


def test_what_was_merged_from_the_base_is_no_change(challenge: Challenge) -> None:
    with challenge.pull_request("pr"):
        challenge.write(f"{NEW}/README.md", "new\n")
    challenge.write("README.md", "main moved on\n")
    challenge.commit()
    challenge.git("checkout", "-q", "pr")
    challenge.git("merge", "-q", "--no-edit", "main")
    assert [change.path for change in read(challenge).changes] == [f"{NEW}/README.md"]


def test_a_rename_is_a_deletion_and_an_addition(challenge: Challenge) -> None:
    with challenge.pull_request("pr"):
        challenge.git("mv", STANDING, NEW)
    edits = {(change.folder, change.edit) for change in read(challenge).changes}
    assert edits == {(STANDING, Edit.DELETED), (NEW, Edit.ADDED)}


def test_a_file_that_becomes_a_link_is_a_link(challenge: Challenge) -> None:
    with challenge.pull_request("pr"):
        (challenge.path / STANDING / "train_gpt.py").unlink()
        os.symlink("/etc/passwd", challenge.path / STANDING / "train_gpt.py")
    assert read(challenge).changes == (Change(f"{STANDING}/train_gpt.py", Edit.MODIFIED, Entry.LINK, "/etc/passwd"),)


def test_links_and_submodules_are_told(challenge: Challenge) -> None:
    with challenge.pull_request("pr"):
        (challenge.path / NEW).mkdir()
        os.symlink("a\nb", challenge.path / NEW / "link")
        os.symlink("x" * 4095, challenge.path / NEW / "long")
        challenge.submodule(f"{NEW}/kernels")
        challenge.commit()
    found = {change.path.rpartition("/")[2]: change for change in read(challenge).changes}
    assert (found["link"].entry, found["link"].target, found["long"].target) == (Entry.LINK, "a\nb", "x" * 4095)
    assert found["kernels"].entry is Entry.SUBMODULE


@pytest.mark.parametrize(
    "name", [b"a b", b"a\nb", b"\x1b[31m", b"\xff\xfe", b'"quoted"', b"-q", b"a:b", "ä".encode(), b"::error::x"]
)
def test_names_of_any_bytes(challenge: Challenge, name: bytes) -> None:
    with challenge.pull_request("pr"):
        folder = os.fsencode(challenge.path / "records/track_10min_16mb") + b"/" + name
        os.mkdir(folder)
        Path(os.fsdecode(folder), "README.md").write_text("new\n", encoding="utf-8")
    shown = name.decode("utf-8", "backslashreplace")
    assert read(challenge).folders() == (f"records/track_10min_16mb/{shown}",)


@pytest.mark.parametrize("revision", ["missing", "--upload-pack=x", "-h", "a\nb", "HEAD\0", "main:train_gpt.py", ""])
def test_a_revision_that_is_no_commit_is_refused(challenge: Challenge, revision: str) -> None:
    with pytest.raises(UserError, match="revision"):
        read(challenge, revision)


def test_branches_without_common_history_are_refused(challenge: Challenge) -> None:
    challenge.git("checkout", "-q", "--orphan", "pr")
    challenge.write("README.md", "another history\n")
    challenge.commit()
    with pytest.raises(UserError, match="no commit in common"):
        read(challenge)


def test_a_place_without_a_repository_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="git cannot read"):
        read_pull_request(Repository(str(tmp_path)), "main", "pr")


@pytest.mark.parametrize(
    ("path", "folder"),
    [
        ("records/t/f/a", "records/t/f"),
        ("records/t/f/a/b", "records/t/f"),
        ("records/t/f", ""),
        ("Records/t/f/a", ""),
        ("x/records/t/f/a", ""),
        ("a", ""),
    ],
)
def test_submission_folder(path: str, folder: str) -> None:
    assert submission_folder(path) == folder


@pytest.mark.parametrize(
    ("path", "target", "leaves"),
    [
        ("records/t/f/a", "b", False),
        ("records/t/f/x/a", "../b", False),
        ("records/t/f/a", "../f/b", False),
        ("records/t/f/a", "../g/b", True),
        ("records/t/f/x/a", "../../../../train_gpt.py", True),
        ("records/t/f/a", "/records/t/f/b", True),
        ("records/t/f/a", "../../../../../etc", True),
        ("records/t/f/a", ".", False),
        ("records/t/f/a", "..", True),
    ],
)
def test_links_that_leave_the_folder(path: str, target: str, leaves: bool) -> None:
    assert leaves_folder(Change(path, Edit.ADDED, Entry.LINK, target)) is leaves


def submissions(*paths: str, changed: tuple[str, ...] = ()) -> list[str]:
    changes = tuple(Change(path, Edit.ADDED) for path in changed or paths)
    return submissions_of(PullRequest("b", "h", changes), paths)


def test_nested_submissions_are_judged_too() -> None:
    assert submissions("records/t/f/submission.json", "records/t/f/x/a.py") == ["records/t/f"]
    assert submissions("records/t/f/submission.json", "records/t/f/x/submission.json", "records/t/f/x/y/a.py") == [
        "records/t/f",
        "records/t/f/x",
    ]
    assert submissions("records/t/f/x/submission.json", "records/t/f/README.md") == ["records/t/f"]
    assert submissions("records/t/f/x/submission.json", "records/t/f/y/submission.json") == ["records/t/f/x", "records/t/f/y"]
    assert submissions("records/t/f/submission.json", "records/t/f/x/submission.json", changed=("records/t/f/a.py",)) == [
        "records/t/f"
    ]
