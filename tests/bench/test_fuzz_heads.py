"""Every Python file of the heads is judged once, and reasons are counted without the names of one file."""

from __future__ import annotations

import subprocess
from pathlib import Path

from bench.fuzz_heads import Tally, judged, reasons, scripts
from pgolf_check.submission.git import Repository


def git(folder: Path, *arguments: str) -> None:
    identity = ("-c", "user.name=a", "-c", "user.email=a@b.c")
    subprocess.run(["git", "-C", str(folder), *identity, *arguments], check=True, capture_output=True)


def test_distinct_files_of_all_heads_are_judged_once(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "-b", "main")
    for number, texts in ((1, ("import torch\n", "def f(:\n")), (2, ("import torch\n", "pass\n"))):
        for place, text in enumerate(texts):
            file = tmp_path / "records" / f"r{place}" / "train_gpt.py"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        (tmp_path / "other.py").write_text("1\n", encoding="utf-8")
        git(tmp_path, "add", "-A")
        git(tmp_path, "commit", "-q", "-m", "a")
        git(tmp_path, "update-ref", f"refs/pull/{number}/head", "HEAD")
    repository = Repository(str(tmp_path))
    blobs = scripts(repository)
    told = Tally()
    for answered in judged(repository, blobs, 1):
        told.add(answered)
    assert told.files == len(blobs) == 3 and told.crashes == []
    assert any("does not parse" in reason for reason in told.reasons)


def test_reasons_are_told_without_names_and_numbers() -> None:
    first = ("X102", "mylib.fuse is not known, and gets validation data (configuration: log)")
    second = ("X102", "other.kernel2 is not known, and gets validation data (configuration: defaults)")
    assert len(reasons([first, second])) == 1
