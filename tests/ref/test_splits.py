"""A data folder is what its edition and manifest state, or is refused in one sentence."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from corpora import VOCAB, prepared, quiet, request, texts, write_jsonl
from hypothesis import given
from hypothesis import strategies as st

from pgolf_ref.cli import DONE, FAILED, main
from pgolf_ref.data import caseops
from pgolf_ref.data.dataset import open_dataset
from pgolf_ref.data.edition import split_digest
from pgolf_ref.data.pieces import BOS
from pgolf_ref.data.prepare import prepare
from pgolf_ref.data.shards import documents, open_shard, read_split, shard_files, write_shard
from pgolf_ref.data.splits import Count, apart, verify
from pgolf_ref.errors import UserError

DOCUMENTS = st.lists(st.lists(st.integers(4, 7), max_size=3).map(lambda ids: [BOS, *ids]), min_size=1, max_size=6)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the small prepared data."""
    return Path(shutil.copytree(prepared(), tmp_path / "data"))


def write(folder: Path, split: str, tokens: list[int], capacity: int) -> None:
    for number, first in enumerate(range(0, len(tokens), capacity)):
        write_shard(folder / f"fineweb_{split}_{number:06d}.bin", np.array(tokens[first : first + capacity], dtype=np.uint16))


@given(training=DOCUMENTS, validation=DOCUMENTS, capacity=st.integers(1, 9))
def test_splits_are_apart_if_no_document_is_in_both(
    tmp_path_factory: pytest.TempPathFactory, training: list[list[int]], validation: list[list[int]], capacity: int
) -> None:
    """Whatever shards the documents lie in."""
    folder = tmp_path_factory.mktemp("splits")
    for split, found in (("train", training), ("val", validation)):
        write(folder, split, [token for document in found for token in document], capacity)
    shared = [document for document in training if document in validation]
    if not shared:
        expected = {split: Count(len(found), sum(map(len, found))) for split, found in (("val", validation), ("train", training))}
        assert apart(folder, quiet) == expected
        return
    first = training.index(shared[0]) + 1
    with pytest.raises(UserError, match=f"^{len(shared)} documents in .* the first of them document {first} of"):
        apart(folder, quiet)


@given(tokens=st.lists(st.integers(0, 65535), min_size=1, max_size=20), capacity=st.integers(1, 20), changed=st.integers(0, 19))
def test_the_digest_is_that_of_the_tokens_and_not_of_the_shards(
    tmp_path_factory: pytest.TempPathFactory, tokens: list[int], capacity: int, changed: int
) -> None:
    folder = tmp_path_factory.mktemp("digest")
    write(folder, "val", tokens, capacity)
    found = split_digest(read_split(folder, "val"))
    assert found == split_digest(np.array(tokens, dtype=np.uint16))
    tokens[changed % len(tokens)] ^= 1
    assert found != split_digest(np.array(tokens, dtype=np.uint16))


def test_a_prepared_folder_is_verified(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    found = verify(folder, None, quiet)
    assert (found.targets, found.bytes, found.sha256) == tuple(manifest["validation"].values())
    assert (found.train.documents, found.train.tokens) == tuple(manifest["splits"]["train"].values())
    shards = [open_shard(path) for path in shard_files(folder, "val")]
    assert found.validation == Count(len(list(documents(shards))), sum(map(len, shards)))
    assert main(["verify", str(folder)]) == DONE
    told = capsys.readouterr().out
    assert "none of them in both splits" in told and found.sha256 in told and told.count("\n") == 1


def test_a_folder_with_a_sidecar_is_verified(tmp_path: Path) -> None:
    corpus = write_jsonl(tmp_path / "c.jsonl", [text.title() for text in texts(20)])
    prepare(request(corpus, caseops=True), tmp_path / "data", quiet)
    found = verify(tmp_path / "data", None, quiet)
    encoded = sum(len(caseops.encode(text.title()).encode("utf-8")) for text in texts(20))
    assert 0 < found.bytes < encoded


def exchange_tokens(folder: Path) -> None:
    """Two tokens of the validation split trade places: as many tokens of as many bytes."""
    path = folder / "fineweb_val_000000.bin"
    tokens = np.array(open_shard(path))
    first, second = next((i, i + 1) for i in range(20, len(tokens)) if tokens[i] != tokens[i + 1] and BOS not in tokens[i : i + 2])
    tokens[[first, second]] = tokens[[second, first]]
    write_shard(path, tokens)


def without_manifest(change: Callable[[Path], None]) -> Callable[[Path], None]:
    """The edition alone is left to tell."""

    def changed(folder: Path) -> None:
        (folder / "manifest.json").unlink()
        change(folder)

    return changed


def leak(folder: Path) -> None:
    """A validation document becomes the last one of the training split."""
    document = list(documents([open_shard(path) for path in shard_files(folder, "val")]))[2]
    last = shard_files(folder, "train")[-1]
    write_shard(last, np.concatenate([open_shard(last), document]))


def edit_manifest(folder: Path) -> None:
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["splits"]["train"]["tokens"] += 1
    path.write_text(json.dumps(manifest))


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (without_manifest(exchange_tokens), r"but other tokens \(SHA-256 [0-9a-f]{16}..., stated [0-9a-f]{16}...\)"),
        (without_manifest(leak), "1 documents in .* are in both splits"),
        (leak, "fineweb_train_00000.*bin is not the file of its manifest"),
        (lambda folder: shard_files(folder, "train")[-1].unlink(), "is missing, its manifest states it"),
        (edit_manifest, "the train split in .* its manifest states"),
        (lambda folder: (folder / "edition.toml").unlink(), "has no edition.toml to be verified against"),
        (lambda folder: (folder / "edition.toml").write_text("validation = 3"), "does not state the validation split"),
    ],
)
def test_what_is_not_as_stated_is_one_sentence(
    change: Callable[[Path], None], complaint: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    change(folder)
    with pytest.raises(UserError, match=complaint):
        verify(folder, None, quiet)
    assert main(["verify", str(folder)]) == FAILED
    assert capsys.readouterr().err.splitlines()[-1].startswith("pgolf-train: ")


def test_another_edition_is_compared_with_by_request(folder: Path, tmp_path: Path) -> None:
    """That of the maintainers, for shards of one's own making."""
    theirs = tmp_path / "edition.toml"
    theirs.write_text((folder / "edition.toml").read_text())
    assert verify(folder, theirs, quiet) == verify(folder, None, quiet)
    theirs.write_text(theirs.read_text().replace('sha256 = "', 'sha256 = "0'))
    with pytest.raises(UserError, match="but other tokens"):
        verify(folder, theirs, quiet)
    theirs.unlink()
    with pytest.raises(UserError, match="cannot read the edition"):
        verify(folder, theirs, quiet)


def test_a_run_refuses_exchanged_validation_tokens(folder: Path) -> None:
    open_dataset(folder, VOCAB)
    exchange_tokens(folder)
    with pytest.raises(UserError, match="but other tokens"):
        open_dataset(folder, VOCAB)


def test_an_edition_without_a_digest_is_one_by_its_counts(folder: Path) -> None:
    edition = folder / "edition.toml"
    lines = [line for line in edition.read_text().splitlines() if not line.startswith("sha256")]
    edition.write_text("\n".join(lines))
    exchange_tokens(folder)
    open_dataset(folder, VOCAB)
