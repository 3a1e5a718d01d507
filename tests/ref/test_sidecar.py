"""A data folder of CaseOps text: its sidecar, its edition, and a run that is scored by it."""

import dataclasses
import json
import tempfile
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from corpora import VOCAB, quiet, request, texts, write_jsonl
from runs import brisk

from pgolf_ref.data import caseops
from pgolf_ref.data.dataset import open_dataset
from pgolf_ref.data.prepare import prepare
from pgolf_ref.data.shards import documents, read_sidecar, read_split, shard_files, sidecar_name, write_shard
from pgolf_ref.distributed import World
from pgolf_ref.errors import UserError
from pgolf_ref.evaluate.bpb import Sidecar
from pgolf_ref.run import run_seed, with_seed


@cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory()


def loud(text: str) -> str:
    """Some words in capitals, some with one, white space that a normaliser would drop."""
    words = [word.upper() if i % 5 == 0 else word.title() if i % 3 == 0 else word for i, word in enumerate(text.split(" "))]
    return " ".join(words) + "  \n"


TEXTS = [loud(text) for text in texts(40)]


@cache
def folder() -> Path:
    root = Path(_folder().name)
    wanted = dataclasses.replace(request(write_jsonl(root / "loud.jsonl", TEXTS), validation_documents=8), caseops=True)
    prepare(dataclasses.replace(wanted, shard_tokens=1500), root / "data", quiet)
    return root / "data"


def test_the_sidecar_of_each_document_sums_to_the_bytes_of_its_text() -> None:
    tokens, counts = read_split(folder(), "val"), read_sidecar(folder(), "val")
    assert len(shard_files(folder(), "val")) > 1 and len(tokens) == len(counts)
    starts = np.flatnonzero(tokens == 1)
    sums = np.add.reduceat(counts.astype(np.int64), starts).tolist()
    assert sums == [len(text.encode("utf-8")) for text in TEXTS[:8]]


def test_the_documents_decode_to_their_texts() -> None:
    dataset = open_dataset(folder(), VOCAB)
    decoded = [caseops.decode_document(dataset.tokenizer, document) for document in documents([dataset.validation])]
    assert decoded == TEXTS[:8]


def test_manifest_and_edition_state_the_bytes_of_the_text() -> None:
    from pgolf_check.rules.edition import load_edition

    total = sum(len(text.encode("utf-8")) for text in TEXTS[:8])
    manifest = json.loads((folder() / "manifest.json").read_text())
    (split,) = load_edition(str(folder() / "edition.toml")).validation.splits
    assert manifest["validation"]["bytes"] == split.bytes == total
    assert manifest["name"] == split.name == f"loud_caseops_sp{VOCAB}"
    assert sidecar_name("val", 0) in manifest["files"]


def test_a_run_is_scored_by_the_bytes_of_the_text(tmp_path: Path) -> None:
    """bpb is loss * tokens / ln 2 / bytes, whatever the bytes of the pieces."""
    config = brisk(f"data.path={folder()}", "ttt.epochs=0")
    result = run_seed(with_seed(config, 1, str(folder())), "# script", tmp_path, World.single())
    total, tokens = sum(len(text.encode("utf-8")) for text in TEXTS[:8]), len(read_split(folder(), "val")) - 1
    assert result.val_bpb == pytest.approx(result.val_loss * tokens / np.log(2) / total, abs=1e-7)


def test_a_sidecar_of_another_length_is_refused(tmp_path: Path) -> None:
    for path in folder().iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    write_shard(tmp_path / sidecar_name("val", 0), np.zeros(3, dtype=np.uint16))
    with pytest.raises(UserError, match="the sidecar in .* has .* values for"):
        open_dataset(tmp_path, VOCAB)


def test_bytes_of_a_sidecar_are_those_of_the_targets() -> None:
    counts = Sidecar(np.array([0, 3, 0, 65_535, 65_535, 2], dtype=np.uint16), 40)
    assert counts.bytes_between(np.zeros(6), 1, 6) == 131_075
    assert counts.bytes_between(np.zeros(6), 2, 4) == 65_535
