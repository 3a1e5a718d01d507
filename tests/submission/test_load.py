"""A submission is the same from a folder, a file in it, an archive or a git revision; bad places end in one clear sentence."""

from __future__ import annotations

import io
import os
import subprocess
import tarfile
import zipfile
from pathlib import Path

import pytest

from pgolf_check.errors import UserError
from pgolf_check.submission.load import load
from pgolf_check.submission.model import Submission

FILES = {
    "README.md": b"# S\n```\nA=1 torchrun --nproc_per_node=8 train_gpt.py\n```\n",
    "submission.json": b'{"name": "n", "github_id": "g", "val_bpb": 1.08}',
    "train_gpt.py": b"import torch\nloss.backward()\n",
    "code/helper.py": b"loss = F.cross_entropy(x, y)\n",
    "train.log": b"step:1/2 train_loss:1.0 train_time:5ms\nfinal val_loss:2.0 val_bpb:1.08\n",
}
FOLDER = "records/track_10min_16mb/mine"


def write(root: Path, files: dict[str, bytes] = FILES) -> Path:
    for name, data in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)
    return root


def same(found: Submission) -> None:
    assert {f.path: f.data for f in found.files} == FILES
    assert (found.entry, found.metadata and found.metadata.val_bpb, len(found.logs)) == ("train_gpt.py", 1.08, 1)
    assert found.commands[0].environment == {"A": "1"}
    assert found.problems == ()


def git(repo: Path, *arguments: str) -> None:
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.org")
    subprocess.run(["git", "-C", str(repo), *identity, *arguments], check=True, capture_output=True)


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    root = tmp_path / "repo"
    write(root / FOLDER)
    write(root, {"README.md": b"the challenge", "train_gpt.py": b"loss.backward()\n"})
    git(tmp_path, "init", "-q", "-b", "main", str(root))
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", "one")
    return root


def test_folder_and_files_in_it(tmp_path: Path) -> None:
    root = write(tmp_path / FOLDER)
    same(load(str(root)))
    assert load(str(root)).path == FOLDER
    same(load(str(root / "train.log")))
    assert load(str(root / "code" / "helper.py")).entry == "code/helper.py"
    same(load(str(root / "train_gpt.py")))


def test_a_script_belongs_to_the_nearest_marked_folder(tmp_path: Path) -> None:
    root = write(tmp_path / "mine")
    found = load(str(root / "code" / "helper.py"))
    assert (len(found.files), found.entry) == (len(FILES), "code/helper.py")


def test_a_script_alone(tmp_path: Path) -> None:
    write(tmp_path / "a" / "b" / "c", {"x.py": b"", "deep/y.py": b""})
    found = load(str(tmp_path / "a" / "b" / "c" / "x.py"))
    assert ([f.path for f in found.files], found.entry, found.scripts["x.py"].text) == (["x.py"], "x.py", "")


def test_other_submissions_below_are_left_out(repo: Path) -> None:
    found = load(str(repo / "train_gpt.py"))
    assert [f.path for f in found.files] == ["README.md", "train_gpt.py"]
    (repo / "records" / "track_10min_16mb" / "other").mkdir()
    (repo / "records" / "track_10min_16mb" / "other" / "submission.json").write_text("{}")
    with pytest.raises(UserError, match="2 submissions"):
        load(str(repo / "records" / "track_10min_16mb"))


@pytest.mark.parametrize("bare", [False, True])
def test_git(repo: Path, tmp_path: Path, bare: bool) -> None:
    place = repo
    if bare:
        place = tmp_path / "bare.git"
        git(tmp_path, "clone", "-q", "--bare", str(repo), str(place))
    found = load(f"main:{FOLDER}", repo=str(place))
    same(found)
    assert found.path == f"main:{FOLDER}"
    assert load(f"HEAD:{FOLDER}/code/helper.py", repo=str(place)).entry == "code/helper.py"


def test_git_tolerates_missing_objects(repo: Path) -> None:
    name = subprocess.run(
        ["git", "-C", str(repo), "rev-parse", f"main:{FOLDER}/train.log"], check=True, capture_output=True, text=True
    )
    digest = name.stdout.strip()
    (repo / ".git" / "objects" / digest[:2] / digest[2:]).unlink()
    found = load(f"main:{FOLDER}", repo=str(repo))
    assert found.logs == ()
    assert "not in this copy" in found.problems[0].message


@pytest.mark.parametrize(
    "path", ["main", ":x", "nowhere:x", "--upload-pack=touch x:y", "-h:x", "main:no/such", "main:../up", "main\n:x"]
)
def test_git_refuses_in_one_sentence(repo: Path, path: str) -> None:
    with pytest.raises(UserError) as caught:
        load(path, repo=str(repo))
    assert str(caught.value)


def test_no_repository(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="git cannot read"):
        load("main:x", repo=str(tmp_path / "gone"))


def tar(path: Path, mode: str, files: dict[str, bytes] = FILES, top: str = "mine/") -> Path:
    with tarfile.open(path, mode) as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(top + name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


@pytest.mark.parametrize(("suffix", "mode"), [(".tar", "w"), (".tar.gz", "w:gz"), (".tar.xz", "w:xz"), (".tar.bz2", "w:bz2")])
@pytest.mark.parametrize("top", ["", "mine/"])
def test_tar(tmp_path: Path, suffix: str, mode: str, top: str) -> None:
    same(load(str(tar(tmp_path / f"a{suffix}", mode, top=top))))


def test_zip(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in FILES.items():
            archive.writestr("mine/" + name, data)
    same(load(str(tmp_path / "a.zip")))


def test_archive_entries_that_leave_it_are_not_read(tmp_path: Path) -> None:
    path = tar(tmp_path / "a.tar", "w", {**FILES, "../evil.py": b"x", "/abs.py": b"y"}, top="")
    with tarfile.open(path, "a") as archive:
        link = tarfile.TarInfo("link.py")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    found = load(str(path))
    assert {f.path for f in found.files} == set(FILES)
    assert {p.location.path for p in found.problems} == {"../evil.py", "/abs.py", "link.py"}


@pytest.mark.parametrize("name", ["a.zip", "a.tar", "a.tar.gz", "a.tar.xz"])
@pytest.mark.parametrize("data", [b"", b"no archive at all", b"\x1f\x8bcut", b"PK\x03\x04cut", b"\xfd7zXZ\0cut"])
def test_damaged_archives(tmp_path: Path, name: str, data: bytes) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(UserError):
        load(str(tmp_path / name))


def test_archive_bomb(tmp_path: Path) -> None:
    import lzma

    info = tarfile.TarInfo("big.bin")
    info.size = 700 << 20
    packer = lzma.LZMACompressor(preset=0)
    with open(tmp_path / "a.tar.xz", "wb") as file:
        file.write(packer.compress(info.tobuf()))
        for _ in range(700):
            file.write(packer.compress(bytes(1 << 20)))
        file.write(packer.flush())
    with pytest.raises(UserError, match="unpacks to more than"):
        load(str(tmp_path / "a.tar.xz"))


def test_links_that_leave_the_folder(tmp_path: Path) -> None:
    root = write(tmp_path / "mine")
    (tmp_path / "secret.py").write_text("secret = 1\n")
    (root / "out.py").symlink_to(tmp_path / "secret.py")
    (root / "up").symlink_to(tmp_path)
    (root / "in.py").symlink_to(root / "train_gpt.py")
    found = load(str(root))
    assert {f.path for f in found.files} == {*FILES, "in.py"}
    assert [p.location.path for p in found.problems] == ["out.py", "up"]


def test_special_files_are_not_opened(tmp_path: Path) -> None:
    root = write(tmp_path / "mine")
    os.mkfifo(root / "pipe.log")
    same(load(str(root)))


def test_missing_and_empty(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such file"):
        load(str(tmp_path / "gone"))
    (tmp_path / "a" / "b" / "c").mkdir(parents=True)
    with pytest.raises(UserError, match="empty"):
        load(str(tmp_path / "a" / "b" / "c"))


def test_a_large_script_is_a_problem(tmp_path: Path) -> None:
    root = write(tmp_path / "mine", {**FILES, "train_gpt.py": b"#" * (6 << 20)})
    script = load(str(root)).scripts["train_gpt.py"]
    assert (script.text, script.size) == (None, 6 << 20)
    assert "not read" in script.problem


@pytest.mark.parametrize(
    ("files", "entry"),
    [
        ({"README.md": b"```\npython b.py\n```", "a.py": b"x.backward()\n" * 9, "b.py": b"y.backward()"}, "b.py"),
        ({"README.md": b"", "a.py": b"x.backward()\n", "b.py": b"y.backward()\n" * 9, "c.py": b"z\n" * 99}, "b.py"),
        ({"README.md": b"", "c.py": b"z\n"}, ""),
        ({"README.md": b"", "train_gpt.py": b"", "b.py": b"y.backward()"}, "train_gpt.py"),
    ],
)
def test_entry(tmp_path: Path, files: dict[str, bytes], entry: str) -> None:
    assert load(str(write(tmp_path / "mine", files))).entry == entry
