"""From text to batches: shards, splits, resumption, and refusals that say what to do."""

import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from corpora import VOCAB, contents, prepared, quiet, request, texts, write_jsonl
from hypothesis import given
from hypothesis import strategies as st

from pgolf_ref import files
from pgolf_ref.data.corpus import open_corpus
from pgolf_ref.data.pieces import BOS
from pgolf_ref.data.prepare import Request, prepare
from pgolf_ref.data.shards import cut, documents, open_shard, read_split, shard_files, write_shard
from pgolf_ref.data.tokenizer import load_tokenizer
from pgolf_ref.errors import UserError

DOCUMENTS = st.lists(st.lists(st.integers(4, 60), max_size=9).map(lambda ids: np.array([BOS, *ids], np.uint16)), min_size=1)


# Shards


def test_a_shard_is_what_the_official_script_reads(tmp_path: Path) -> None:
    tokens = np.array([1, 65535, 7, 300], dtype=np.uint16)
    write_shard(tmp_path / "shard.bin", tokens)
    raw = (tmp_path / "shard.bin").read_bytes()
    assert np.frombuffer(raw[:1024], "<i4").tolist() == [20240520, 1, 4] + [0] * 253
    assert np.frombuffer(raw[1024:], "<u2").tolist() == tokens.tolist() == open_shard(tmp_path / "shard.bin").tolist()


@given(DOCUMENTS, st.integers(1, 12))
def test_documents_survive_being_cut_into_shards(given_documents: list[np.ndarray], capacity: int) -> None:
    shards = [tokens.copy() for tokens, _, _ in cut(given_documents, capacity)]
    assert all(len(shard) == capacity for shard in shards[:-1])
    assert [d.tolist() for d in documents(shards)] == [d.tolist() for d in given_documents]


@given(DOCUMENTS, st.integers(1, 12))
def test_cutting_can_go_on_after_any_shard(given_documents: list[np.ndarray], capacity: int) -> None:
    whole = [(tokens.copy(), used, into) for tokens, used, into in cut(given_documents, capacity)]
    for number, (_, used, into) in enumerate(whole):
        rest = [d[into:] if i == 0 else d for i, d in enumerate(given_documents[used:])]
        assert [s.tolist() for s, _, _ in cut(rest, capacity)] == [s.tolist() for s, _, _ in whole[number + 1 :]]


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda raw: raw[:-2], "its header promises"),
        (lambda raw: raw + b"\0\0", "its header promises"),
        (lambda raw: raw[:100], "is no token shard"),
        (lambda raw: b"\0" + raw[1:], "magic number 20240520"),
        (lambda raw: raw[:4] + b"\2" + raw[5:], "version 2"),
        (lambda raw: raw[:11] + b"\xff" + raw[12:], "its header promises"),
    ],
)
def test_a_damaged_shard_is_refused(damage: Callable[[bytes], bytes], message: str, tmp_path: Path) -> None:
    write_shard(tmp_path / "fineweb_val_000000.bin", np.arange(10, dtype=np.uint16))
    path = tmp_path / "fineweb_val_000000.bin"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(UserError, match=message):
        read_split(tmp_path, "val")


def test_a_gap_between_shards_is_refused(tmp_path: Path) -> None:
    for number in (0, 2):
        write_shard(tmp_path / f"fineweb_train_{number:06d}.bin", np.arange(3, dtype=np.uint16))
    write_shard(tmp_path / "fineweb_train_bytes_000000.bin", np.arange(3, dtype=np.uint16))
    with pytest.raises(UserError, match="fineweb_train_000001.bin is missing"):
        shard_files(tmp_path, "train")
    with pytest.raises(UserError, match="no fineweb_val_000000.bin in"):
        shard_files(tmp_path, "val")


# Preparation


def test_splits_hold_every_document_once(tmp_path: Path) -> None:
    manifest = json.loads((prepared() / "manifest.json").read_text())
    tokenizer = load_tokenizer(prepared() / "tokenizer.model", VOCAB)
    decoded = {
        split: [tokenizer.decode(d[1:].tolist()) for d in documents([open_shard(p) for p in shard_files(prepared(), split)])]
        for split in ("val", "train")
    }
    normalised = [tokenizer.decode(tokenizer.encode(text)) for text in texts()]
    assert sorted(decoded["val"] + decoded["train"]) == sorted(normalised)
    assert manifest["splits"]["val"]["documents"] == len(decoded["val"]) > 3
    assert len(shard_files(prepared(), "train")) > 2
    assert manifest["validation"]["bytes"] == sum(len(text.encode()) for text in decoded["val"])


def test_the_checker_reads_the_edition() -> None:
    from pgolf_check.rules.edition import load_edition

    edition = load_edition(str(prepared() / "edition.toml"))
    manifest = json.loads((prepared() / "manifest.json").read_text())
    (split,) = edition.validation.splits
    assert (split.tokens, split.bytes) == (manifest["validation"]["tokens"], manifest["validation"]["bytes"])
    assert (split.name, edition.artifact_bytes, edition.leaderboard) == (f"made-up_sp{VOCAB}", 16_000_000, ())


def test_a_training_document_with_the_tokens_of_a_validation_document_is_left_out(tmp_path: Path) -> None:
    """The ligature differs from its letters as text, and is the same after normalisation."""
    first = ["a fine \ufb01nd", *texts(9)]
    corpus = write_jsonl(tmp_path / "c.jsonl", [*first, *texts(20, seed=1), "a fine find", texts(9)[3]])
    manifest = prepare(request(corpus, validation_documents=10), tmp_path / "out", quiet)
    assert manifest["splits"]["val"]["documents"] == 10
    assert manifest["splits"]["train"]["documents"] == 20


def test_the_same_call_again_changes_nothing_and_another_is_refused(tmp_path: Path) -> None:
    corpus = write_jsonl(tmp_path / "c.jsonl", texts(20))
    prepare(request(corpus), tmp_path / "out", quiet)
    before = contents(tmp_path / "out")
    prepare(request(corpus), tmp_path / "out", quiet)
    assert contents(tmp_path / "out") == before
    with pytest.raises(UserError, match="with other options"):
        prepare(request(corpus, shard_tokens=10), tmp_path / "out", quiet)


def test_an_interruption_at_any_file_is_made_good_by_the_next_call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    corpus = write_jsonl(tmp_path / "c.jsonl", texts(12))
    wanted = request(corpus, shard_tokens=700)
    prepare(wanted, tmp_path / "whole", quiet)
    replace, calls = os.replace, [0]

    def interrupted(source: Path, target: Path) -> None:
        calls[0] -= 1
        if calls[0] < 0:
            raise KeyboardInterrupt
        replace(source, target)

    monkeypatch.setattr(files.os, "replace", interrupted)
    for survived in range(100):
        calls[0] = survived
        shutil.rmtree(tmp_path / "cut", ignore_errors=True)
        try:
            prepare(wanted, tmp_path / "cut", quiet)
            break
        except KeyboardInterrupt:
            assert not (tmp_path / "cut" / "manifest.json").exists()
        calls[0] = 1000
        prepare(wanted, tmp_path / "cut", quiet)
        assert contents(tmp_path / "cut") == contents(tmp_path / "whole")
    assert survived > 10


def test_a_killed_preparation_goes_on(tmp_path: Path) -> None:
    corpus = write_jsonl(tmp_path / "c.jsonl", texts(60))
    options = ["--corpus", str(corpus), "--vocab-size", str(VOCAB), "--shard-tokens", "50", "--validation-share", "0.2"]
    command = [sys.executable, "-m", "pgolf_ref", "prepare", *options, "--out", str(tmp_path / "cut")]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 600
    while process.poll() is None and not (tmp_path / "cut" / "fineweb_train_000003.bin").exists():
        assert time.monotonic() < deadline
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    for path in (tmp_path / "cut").glob("fineweb_*.bin"):
        open_shard(path)
    assert not (tmp_path / "cut" / "manifest.json").exists()
    assert subprocess.run(command, stderr=subprocess.DEVNULL).returncode == 0
    assert subprocess.run([*command[:-1], str(tmp_path / "whole")], stderr=subprocess.DEVNULL).returncode == 0
    assert contents(tmp_path / "cut") == contents(tmp_path / "whole")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"text": "fine"}\n{"txt": 1}\n', 'line 2: expected a JSON object with a string "text"'),
        ("not json\n", "line 1: expected a JSON object"),
        ('{"text": "too short"}\n{"text": "for a vocabulary"}\n', f"no tokenizer of {VOCAB} pieces|the text gives"),
    ],
)
def test_bad_json_lines_are_told_by_line(content: str, message: str, tmp_path: Path) -> None:
    corpus = tmp_path / "c.jsonl"
    corpus.write_text(content)
    with pytest.raises(UserError, match=message):
        prepare(request(corpus, validation_documents=1), tmp_path / "out", quiet)


def test_a_folder_a_file_and_json_lines_give_the_same_documents(tmp_path: Path) -> None:
    given_texts = texts(6)
    folder = tmp_path / "folder"
    (folder / "b").mkdir(parents=True)
    for number, text in enumerate(given_texts[:3]):
        (folder / f"a{number}.txt").write_text(text, encoding="utf-8")
    write_jsonl(folder / "b" / "rest.jsonl", given_texts[3:])
    (folder / ".hidden.txt").write_text("not a document")
    (folder / "image.png").write_bytes(b"\x89PNG\0\xff")
    assert list(open_corpus(str(folder)).documents()) == given_texts
    assert list(open_corpus(str(write_jsonl(tmp_path / "all.jsonl", given_texts))).documents()) == given_texts
    assert list(open_corpus(str(folder / "a1.txt")).documents()) == [given_texts[1]]


def test_a_corpus_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "latin.txt").write_bytes("façade".encode("latin-1"))
    with pytest.raises(UserError, match="none of which can be read as text"):
        open_corpus(str(tmp_path))
    with pytest.raises(UserError, match="is not UTF-8 text"):
        list(open_corpus(str(tmp_path / "latin.txt")).documents())
    with pytest.raises(UserError, match="no corpus 'nowhere'"):
        open_corpus("nowhere")


def test_shards_of_someone_else_are_not_overwritten(tmp_path: Path) -> None:
    write_shard(tmp_path / "out" / "fineweb_train_000000.bin", np.arange(3, dtype=np.uint16))
    with pytest.raises(UserError, match="were not prepared here"):
        prepare(request(write_jsonl(tmp_path / "c.jsonl", texts(9))), tmp_path / "out", quiet)


def test_the_standard_library_is_a_corpus_in_an_order_of_its_own() -> None:
    corpus = open_corpus("stdlib", max_bytes=200_000)
    read = list(corpus.documents())
    assert read == list(open_corpus("stdlib", max_bytes=200_000).documents())
    assert 100_000 < sum(len(text.encode()) for text in read) <= 200_000
    names = [path.name for path in corpus.files]
    assert "dataclasses.py" in names and names != sorted(names)
    assert not any("site-packages" in path.parts or "test" in path.parts for path in corpus.files)


def test_the_tokenizer_has_the_options_of_the_challenge() -> None:
    tokenizer = load_tokenizer(prepared() / "tokenizer.model", VOCAB)
    pieces = [tokenizer.id_to_piece(token) for token in range(VOCAB)]
    assert pieces[:4] == ["<pad>", "<s>", "</s>", "<unk>"]
    assert [tokenizer.is_byte(token) for token in range(VOCAB)].count(True) == 256
    assert not any(sum(letter.isdigit() for letter in piece) > 1 for piece in pieces if not piece.startswith("<0x"))
    assert tokenizer.encode("e")[0] == tokenizer.piece_to_id("e"), "no dummy prefix"
    assert tokenizer.decode(tokenizer.encode("\ufb01 \t a\nb")) == "fi a b", "NFKC, white space collapsed"
    assert tokenizer.decode(tokenizer.encode("\U0001f980")) == "\U0001f980", "byte fallback"


def test_every_value_of_a_request_matters(tmp_path: Path) -> None:
    """Each is part of the identity that guards a folder: a new field with the same default must not slip through."""
    corpus = write_jsonl(tmp_path / "c.jsonl", texts(30))
    base = request(corpus)
    prepare(base, tmp_path / "out", quiet)
    for field in dataclasses.fields(Request):
        if field.name != "corpus":
            changed = dataclasses.replace(base, **{field.name: getattr(base, field.name) + 1})
            with pytest.raises(UserError, match="with other options"):
                prepare(changed, tmp_path / "out", quiet)
