"""Data folders and batches: what a batch depends on, and folders that are refused; published shards as a data folder."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from corpora import VOCAB, prepared, quiet
from toys import small

from pgolf_ref.config import Config
from pgolf_ref.data.dataset import open_dataset
from pgolf_ref.data.loader import Loader
from pgolf_ref.data.published import fetch_published
from pgolf_ref.data.shards import shard_files, write_shard
from pgolf_ref.errors import UserError


def loading(*overrides: str) -> Config:
    return small(f"data.path={prepared()}", f"model.vocab_size={VOCAB}", *overrides)


def test_a_tokenizer_of_another_vocabulary_is_refused() -> None:
    with pytest.raises(UserError, match=rf"has {VOCAB} pieces, the recipe's model.vocab_size is 1024: prepare data with"):
        open_dataset(prepared(), 1024)


def test_a_missing_data_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no data folder .* `pgolf-train prepare"):
        open_dataset(tmp_path / "none", VOCAB)


def test_a_batch_depends_on_its_number_alone() -> None:
    numbers = [(7, 1), (0, 0), (900, 3), (7, 1)]
    first, second = Loader(loading()), Loader(loading())
    expected = {number: first.batch(*number) for number in sorted(set(numbers))}
    for number in numbers:
        assert all(torch.equal(a, b) for a, b in zip(second.batch(*number), expected[number], strict=True))
    x, y = expected[0, 0]
    assert x.shape == y.shape == (2, 12) and x.dtype == y.dtype == torch.int64
    assert torch.equal(x[:, 1:], y[:, :-1])
    assert not torch.equal(x, Loader(loading("run.seed_data=7")).batch(0, 0)[0])


def test_the_windows_of_a_step_do_not_depend_on_the_number_of_slots() -> None:
    def step(slots: int) -> torch.Tensor:
        return torch.cat([Loader(loading(f"data.slots={slots}")).batch(5, slot)[0] for slot in range(slots)])

    assert torch.equal(step(1), step(2)) and torch.equal(step(1), step(8))


def test_an_epoch_holds_every_window_once(tmp_path: Path) -> None:
    """Tokens that count upwards tell where a window begins."""
    for number, length in enumerate((100, 37, 12, 211)):
        write_shard(tmp_path / f"fineweb_train_{number:06d}.bin", np.arange(length, dtype=np.uint16) + 300 * number)
    config = small(f"data.path={tmp_path}", "model.vocab_size=2000", "data.batch_tokens=12", "data.slots=1")
    loader = Loader(config)
    for epoch in range(3):
        starts = [int(loader.batch(epoch * loader.windows + i, 0)[0][0, 0]) for i in range(loader.windows)]
        assert len({start % 300 % 12 for start in starts}) == 1, "one offset per epoch"
        assert len(set(starts)) == loader.windows == sum((length - 12) // 12 for length in (100, 37, 12, 211))
        assert starts != sorted(starts)


def test_shards_too_short_or_of_another_tokenizer_are_refused(tmp_path: Path) -> None:
    write_shard(tmp_path / "fineweb_train_000000.bin", np.full(100, 60, dtype=np.uint16))
    with pytest.raises(UserError, match="holds token 60, but model.vocab_size is 40"):
        Loader(small(f"data.path={tmp_path}")).batch(0, 0)
    with pytest.raises(UserError, match="too short: none holds two windows"):
        Loader(small(f"data.path={tmp_path}", "data.seq_len=96", "evaluate.stride=96", "data.batch_tokens=384"))


# Published shards


def test_without_a_network_the_reason_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    constants = pytest.importorskip("huggingface_hub.constants")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    with pytest.raises(UserError, match=r"cannot fetch manifest.json .* prepare --corpus stdlib"):
        fetch_published("sp1024", 1, tmp_path / "out", quiet)


def test_published_shards_become_a_data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hub = pytest.importorskip("huggingface_hub")
    remote = tmp_path / "remote" / "datasets"
    name = f"fineweb10B_sp{VOCAB}"
    for path in shard_files(prepared(), "val") + shard_files(prepared(), "train"):
        (remote / "datasets" / name).mkdir(parents=True, exist_ok=True)
        shutil.copy(path, remote / "datasets" / name)
    (remote / "tokenizers").mkdir()
    shutil.copy(prepared() / "tokenizer.model", remote / "tokenizers" / "made-up.model")
    stats = {"files_val": len(shard_files(prepared(), "val")), "files_train": 2}
    index = {
        "datasets": [{"name": name, "tokenizer_name": "t", "stats": stats}],
        "tokenizers": [{"name": "t", "model_path": "tokenizers/made-up.model"}],
    }
    (remote / "manifest.json").write_text(json.dumps(index))

    def download(repository: str, filename: str, *, subfolder: str, repo_type: str) -> str:
        return str(tmp_path / "remote" / subfolder / filename)

    monkeypatch.setattr(hub, "hf_hub_download", download)
    fetch_published(f"sp{VOCAB}", 2, tmp_path / "out", quiet)
    dataset = open_dataset(tmp_path / "out", VOCAB)
    assert (dataset.name, dataset.train_shards) == (name, 2)
    with pytest.raises(UserError, match="has 2 training shards, not 3"):
        fetch_published(f"sp{VOCAB}", 3, tmp_path / "out", quiet)
    with pytest.raises(UserError, match=f"no data set 'sp7': give one of sp{VOCAB}"):
        fetch_published("sp7", 1, tmp_path / "out", quiet)
