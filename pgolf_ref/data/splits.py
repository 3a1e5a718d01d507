"""What the shards of a data folder hold, and whether they are what its edition and manifest state.

Invariants: a folder that is verified has splits without a common document, the counts and the fingerprint of its edition, and the files
of its manifest; shards are read one at a time, and of a document only its digest is kept.
"""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pgolf_ref.data.dataset import MANIFEST, open_dataset
from pgolf_ref.data.edition import EDITION, check_validation_of, split_digest
from pgolf_ref.data.shards import Tokens, documents, open_shard, shard_files
from pgolf_ref.errors import UserError
from pgolf_ref.files import read_json

SPLITS = ("val", "train")

Progress = Callable[[str, str], None]  # stage and detail


@dataclass(frozen=True, slots=True)
class Count:
    """Of a split."""

    documents: int
    tokens: int


@dataclass(frozen=True, slots=True)
class Verified:
    """What a folder holds: `targets` are the scored tokens of the validation split, `bytes` what they stand for."""

    name: str
    train: Count
    validation: Count
    targets: int
    bytes: int
    sha256: str  # of the tokens of the validation split


def verify(folder: Path, edition: Path | None, progress: Progress) -> Verified:
    """Read every shard. UserError names the first thing that is not as the manifest or the edition states it.

    `edition` is the TOML file to compare with; None takes that of the folder.
    """
    progress("files", "")
    _check_files(folder, progress)
    dataset = open_dataset(folder, 0)
    validation = dataset.validation
    targets, counted = len(validation) - 1, dataset.byte_counts().bytes_between(validation, 1, len(validation))
    sha256 = split_digest(validation)
    if edition is not None:
        check_validation_of(edition, folder, targets, counted, sha256)
    elif not (folder / EDITION).is_file():
        raise UserError(f"{folder} has no {EDITION} to be verified against: name one with --edition")
    counts = apart(folder, progress)
    stated = _manifest(folder).get("splits", {})
    for split, count in counts.items():
        known = stated.get(split, {"documents": count.documents, "tokens": count.tokens})
        if (known["documents"], known["tokens"]) != (count.documents, count.tokens):
            raise UserError(
                f"the {split} split in {folder} has {count.documents:,} documents of {count.tokens:,} tokens, its manifest states "
                f"{known['documents']:,} of {known['tokens']:,}: shards are missing or were added; prepare the data again"
            )
    return Verified(dataset.name, counts["train"], counts["val"], targets, counted, sha256)


def apart(folder: Path, progress: Progress) -> dict[str, Count]:
    """The counts of both splits. UserError where a document of one has the tokens of a document of the other."""
    counts: dict[str, Count] = {}
    validation: set[bytes] = set()
    for split in SPLITS:
        number = tokens = shared = first = 0
        for number, document in enumerate(read_documents(folder, split), start=1):
            tokens += len(document)
            if split == "val":
                validation.add(digest(document))
            elif digest(document) in validation:
                shared, first = shared + 1, first or number
            if number % 10_000 == 0:
                progress(split, f"{number} documents")
        if shared:
            raise UserError(
                f"{shared} documents in {folder} are in both splits, the first of them document {first} of the training shards: "
                "delete the folder and prepare it again"
            )
        counts[split] = Count(number, tokens)
    return counts


def digest(document: Tokens) -> bytes:
    """What tells a document from all others: SHA-256 of its tokens."""
    return hashlib.sha256(document.astype("<u2").tobytes()).digest()


def read_documents(folder: Path, split: str) -> Iterator[Tokens]:
    """The documents of a split, whichever shards they lie in."""
    return documents([open_shard(path) for path in shard_files(folder, split)])


def _check_files(folder: Path, progress: Progress) -> None:
    """Every file that the manifest states is there, and has the stated content."""
    for name, stated in _manifest(folder).get("files", {}).items():
        progress("files", name)
        path = folder / name
        if not path.is_file():
            raise UserError(f"{path} is missing, its manifest states it: prepare the data again")
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != stated["sha256"]:
            raise UserError(f"{path} is not the file of its manifest (SHA-256 {found[:16]}..., stated {stated['sha256'][:16]}...)")


def _manifest(folder: Path) -> dict[str, dict[str, dict[str, str]]]:
    path = folder / MANIFEST
    return dict(read_json(path)) if path.is_file() else {}
