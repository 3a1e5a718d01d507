"""The tokenizer of bytes, alone and in a data folder."""

import dataclasses
import json
from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pytest
from corpora import quiet, request, texts, write_jsonl
from hypothesis import given, settings
from runs import brisk

from pgolf_ref.data.byte_tokenizer import DESCRIPTION, ByteTokenizer
from pgolf_ref.data.caseops import encode_document
from pgolf_ref.data.dataset import open_dataset
from pgolf_ref.data.pieces import BOS
from pgolf_ref.data.prepare import prepare
from pgolf_ref.data.shards import documents
from pgolf_ref.data.tokenizer import encode, load_tokenizer
from pgolf_ref.data.vocabulary import vocabulary
from pgolf_ref.distributed import World
from pgolf_ref.errors import UserError
from pgolf_ref.evaluate.bpb import byte_table
from pgolf_ref.run import run_seed, with_seed


@given(text=st.text())
@settings(deadline=None)
def test_every_text_comes_back_and_counts_its_bytes(text: str) -> None:
    tokenizer = ByteTokenizer()
    (document,) = encode(tokenizer, [text])
    assert document[0] == BOS and document.max() < tokenizer.vocab_size() == 260
    assert tokenizer.decode(document[1:].tolist()) == text
    assert byte_table(tokenizer).total_bytes(document) == len(text.encode("utf-8"))
    assert b"".join(vocabulary(tokenizer).pieces[token] for token in document) == text.encode("utf-8")


@given(text=st.text())
@settings(deadline=None)
def test_the_sidecar_of_bytes_of_transformed_text(text: str) -> None:
    _, sidecar = encode_document(ByteTokenizer(), text)
    assert sidecar.sum() == len(text.encode("utf-8")) and sidecar.max() <= 1


def test_a_file_that_describes_another_tokenizer_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "byte.json"
    for content in ("{", "[]", json.dumps({**DESCRIPTION, "vocab_size": 256})):
        path.write_text(content)
        with pytest.raises(UserError, match="byte.json holds no description of"):
            load_tokenizer(path)


@pytest.mark.parametrize("caseops", [False, True])
def test_a_run_on_bytes(caseops: bool, tmp_path: Path) -> None:
    """Prepared, trained, scored: bits per byte are bits per target, but for the targets that begin documents or are markers."""
    wanted = request(write_jsonl(tmp_path / "c.jsonl", texts(12)), vocab_size=260, validation_documents=3)
    prepare(dataclasses.replace(wanted, caseops=caseops), tmp_path / "data", quiet)
    dataset = open_dataset(tmp_path / "data", 260)
    if not caseops:
        assert [dataset.tokenizer.decode(d[1:].tolist()) for d in documents([dataset.validation])] == texts(12)[:3]
    config = brisk(f"data.path={tmp_path / 'data'}", "model.vocab_size=260", "ttt.epochs=0")
    result = run_seed(with_seed(config, 1, config.data.path), "# script", tmp_path / "out", World.single())
    size = sum(len(text.encode("utf-8")) for text in texts(12)[:3])
    assert result.val_bpb == pytest.approx(result.val_loss * (len(dataset.validation) - 1) / np.log(2) / size, abs=1e-7)
