"""Writes out the submission folders of all pull request heads of a mirror, to be judged with `pgolf-check corpus`.

    python -m bench.heads GIT_DIR --out DIR
    pgolf-check corpus DIR/list.txt --witness static --format jsonl

GIT_DIR is a copy of the challenge repository with refs/pull/N/head (`git clone --mirror`). DIR gets `<pr>-<sha8>/records/<track>/<folder>`
for each folder that a pull request adds or changes, list.txt (the folders that hold a Python script, one per line) and all.txt (every
folder). A pull request whose head the main branch has is compared with the first parent of the commit that merged it. Files over 4 MiB
and weights are left out. The files are other people's code: keep DIR out of every commit.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from rich.progress import track

from bench.pull_request_edits import read
from pgolf_check.errors import UserError
from pgolf_check.submission.git import Repository

WEIGHTS = (".ptz", ".pt", ".bin", ".png", ".gif", ".jpg", ".pdf", ".xz", ".npy", ".npz", ".zip")
LIMIT = 4 << 20
FOLDERS = 8
"""Folders taken of one pull request: one that brings more is a copy of other people's work."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("git_dir")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    repository = Repository(args.git_dir)
    refs = repository.run("for-each-ref", "--format=%(refname)", "refs/pull/*/head").decode().split()
    every: list[Path] = []
    for ref in track(sorted(refs, key=number), description="pull requests"):
        every += written(repository, ref, args.out)
    scripts = [folder for folder in every if any(folder.rglob("*.py"))]
    for name, folders in (("all.txt", every), ("list.txt", scripts)):
        (args.out / name).write_text("".join(f"{folder.resolve()}\n" for folder in folders))
    print(f"{len(refs)} heads, {len(every)} folders, {len(scripts)} with a script, in {args.out}")


def number(ref: str) -> int:
    return int(ref.split("/")[2])


def written(repository: Repository, ref: str, out: Path) -> list[Path]:
    """The folders of one pull request, as they stand in its head; none if its history has nothing in common with the main branch."""
    try:
        pull_request = read(repository, ref)
    except UserError:
        return []
    folders = pull_request.folders()
    if len(folders) > FOLDERS:
        return []
    home = out / f"{number(ref)}-{pull_request.head[:8]}"
    return [place for folder in folders if (place := copied(repository, pull_request.head, folder, home)).is_dir()]


def copied(repository: Repository, commit: str, folder: str, home: Path) -> Path:
    rows = repository.run("ls-tree", "-r", "-l", "-z", "--full-tree", commit, folder + "/").split(b"\0")
    blobs: dict[str, str] = {}
    for row in filter(None, rows):
        meta, raw = row.split(b"\t", 1)
        mode, _, name, size = meta.decode().split()
        path = os.fsdecode(raw)
        if mode.startswith("100") and size.isdigit() and int(size) <= LIMIT and not path.lower().endswith(WEIGHTS):
            blobs[path] = name
    for path, content in zip(blobs, repository.blobs(list(blobs.values())), strict=True):
        if content is not None:
            (home / path).parent.mkdir(parents=True, exist_ok=True)
            (home / path).write_bytes(content)
    return home / folder


if __name__ == "__main__":
    main()
