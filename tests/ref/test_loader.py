"""Data folders and batches: what a batch depends on, and folders that are refused; published shards as a data folder."""

import itertools
import json
import shutil
from collections.abc import Callable
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


ORDERS = ("shuffled", "sequential", "coprime", "documents")


@pytest.mark.parametrize("order", ORDERS)
def test_a_batch_depends_on_its_number_alone(order: str) -> None:
    numbers = [(7, 1), (0, 0), (900, 3), (7, 1)]
    first, second = (Loader(loading(f"data.order={order}")) for _ in range(2))
    expected = {number: first.batch(*number) for number in sorted(set(numbers))}
    for number in numbers:
        assert all(torch.equal(a, b) for a, b in zip(second.batch(*number), expected[number], strict=True))
    x, y = expected[0, 0]
    assert x.shape == y.shape == (2, 12) and x.dtype == y.dtype == torch.int64
    assert torch.equal(x[:, 1:], y[:, :-1])
    other = Loader(loading(f"data.order={order}", "run.seed_data=7")).batch(0, 0)[0]
    assert torch.equal(x, other) == (order == "sequential")


@pytest.mark.parametrize("order", ORDERS)
def test_the_windows_of_a_step_do_not_depend_on_the_number_of_slots(order: str) -> None:
    def step(slots: int) -> torch.Tensor:
        loaders = [Loader(loading(f"data.order={order}", f"data.slots={slots}")) for _ in range(slots)]
        return torch.cat([loaders[slot].batch(5, slot)[0] for slot in range(slots)])

    assert torch.equal(step(1), step(2)) and torch.equal(step(1), step(8))


LENGTHS = (100, 37, 12, 211)


def counting_upwards(folder: Path) -> None:
    """Shards whose tokens tell where they stand."""
    for number, length in enumerate(LENGTHS):
        write_shard(folder / f"fineweb_train_{number:06d}.bin", np.arange(length, dtype=np.uint16) + 300 * number)


def epoch_of(loader: Loader, epoch: int) -> list[list[int]]:
    """The windows of an epoch, one row per batch."""
    return [loader.batch(epoch * loader.windows + i, 0)[0][0].tolist() for i in range(loader.windows)]


@pytest.mark.parametrize("order", ["shuffled", "sequential", "coprime"])
def test_an_epoch_holds_every_window_once(order: str, tmp_path: Path) -> None:
    counting_upwards(tmp_path)
    sizes = ("model.vocab_size=2000", "data.batch_tokens=12", "data.slots=1")
    loader = Loader(small(f"data.path={tmp_path}", f"data.order={order}", *sizes))
    for epoch in range(3):
        rows = epoch_of(loader, epoch)
        assert all(row == list(range(row[0], row[0] + 12)) for row in rows)
        starts = [row[0] for row in rows]
        assert len(set(starts)) == loader.windows == sum((length - 12) // 12 for length in LENGTHS)
        cuts = {(start // 300, start % 300 % 12) for start in starts}
        assert len(cuts) == 3, "one offset per shard and epoch"
        assert (starts == sorted(starts)) == (order == "sequential")
        assert (len({cut for _, cut in cuts}) == 1) or order == "coprime"


def test_coprime_strides_mix_the_shards_in_proportion(tmp_path: Path) -> None:
    """Half of an epoch has about half of every shard's windows, and a shard's windows lie a fixed stride apart."""
    counting_upwards(tmp_path)
    sizes = ("model.vocab_size=2000", "data.batch_tokens=12", "data.slots=1")
    loader = Loader(small(f"data.path={tmp_path}", "data.order=coprime", *sizes))
    starts = [row[0] for row in epoch_of(loader, 0)]
    of_last = [(start - 900) // 12 for start in starts if start >= 900]
    (stride,) = {(after - before) % 16 for before, after in itertools.pairwise(of_last)}
    assert stride > 16 // 3 and stride % 2 == 1
    half = starts[: len(starts) // 2]
    for shard, count in ((0, 7), (1, 2), (3, 16)):
        assert abs(sum(start // 300 == shard for start in half) - count / 2) <= 1


def write_documents(folder: Path) -> list[list[list[int]]]:
    """Three shards of documents of different lengths, the second with a head that belongs to no document of its own."""
    shards, token = [], 10
    for number, lengths in enumerate([(5, 30, 9, 17), (8, 40, 3), (60,)]):
        documents = []
        for length in lengths:
            documents.append([1, *range(token, token + length - 1)])
            token += length
        head = [3, 4, 5] if number == 1 else []
        flat = np.array([*head, *(t for document in documents for t in document)], dtype=np.uint16)
        write_shard(folder / f"fineweb_train_{number:06d}.bin", flat)
        shards.append(documents)
    return shards


def test_packed_documents_are_whole_and_in_random_order(tmp_path: Path) -> None:
    """The rows of an epoch, laid end to end, are shard after shard a permutation of its documents, cut off at the last window."""
    shards = write_documents(tmp_path)
    sizes = ("model.vocab_size=2000", "data.batch_tokens=12", "data.slots=1")
    loader = Loader(small(f"data.path={tmp_path}", "data.order=documents", *sizes))
    counts = [(sum(map(len, documents)) - 1) // 12 for documents in shards]
    assert loader.windows == sum(counts)
    seen = set()
    for epoch in range(6):
        rows, order = epoch_of(loader, epoch), []
        while rows:
            shard = next(i for i, documents in enumerate(shards) if any(rows[0][1] in document for document in documents))
            mine, rows = sum(rows[: counts[shard]], []), rows[counts[shard] :]
            texts = [mine[start : stop or None] for start, stop in cuts(mine)]
            assert all(text in shards[shard] for text in texts[:-1])
            assert any(document[: len(texts[-1])] == texts[-1] for document in shards[shard])
            order.append((shard, *(text[1] for text in texts if len(text) > 1)))
        assert sorted(shard for shard, *_ in order) == [0, 1, 2]
        seen.add(tuple(order))
    assert len({tuple(shard for shard, *_ in order) for order in seen}) > 1, "epochs differ in the order of shards"
    assert len({visit for order in seen for visit in order if visit[0] == 0}) > 1, "and of the documents of a shard"


def cuts(tokens: list[int]) -> list[tuple[int, int]]:
    """Where the documents of a packed text begin and end."""
    starts = [place for place, token in enumerate(tokens) if token == 1]
    return list(zip(starts, [*starts[1:], 0], strict=True))


def test_the_next_window_begins_with_the_last_target(tmp_path: Path) -> None:
    write_documents(tmp_path)
    config = small(f"data.path={tmp_path}", "data.order=documents", "model.vocab_size=2000", "data.batch_tokens=12", "data.slots=1")
    loader = Loader(config)
    inside = 0
    for number in range(loader.windows - 1):
        (_, targets), (inputs, _) = loader.batch(number, 0), loader.batch(number + 1, 0)
        inside += int(targets[0, -1] == inputs[0, 0])
    assert inside >= loader.windows - len(shard_files(tmp_path, "train"))


def test_shards_too_short_or_of_another_tokenizer_are_refused(tmp_path: Path) -> None:
    write_shard(tmp_path / "fineweb_train_000000.bin", np.full(100, 60, dtype=np.uint16))
    with pytest.raises(UserError, match="holds token 60, but model.vocab_size is 40"):
        Loader(small(f"data.path={tmp_path}")).batch(0, 0)
    with pytest.raises(UserError, match="too short: none holds two windows"):
        Loader(small(f"data.path={tmp_path}", "data.seq_len=96", "evaluate.stride=96", "data.batch_tokens=384"))


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda text: text.replace("tokens = ", "tokens = 1"), "its edition states 1"),
        (lambda text: text.replace("[[validation.splits]]", "[[validation.split]]"), "does not state the validation split"),
        (lambda text: "[", "does not state the validation split"),
    ],
)
def test_a_validation_split_that_is_not_that_of_the_edition_is_refused(
    change: Callable[[str], str], complaint: str, tmp_path: Path
) -> None:
    shutil.copytree(prepared(), tmp_path / "data")
    path = tmp_path / "data" / "edition.toml"
    open_dataset(tmp_path / "data", VOCAB)
    path.write_text(change(path.read_text()))
    with pytest.raises(UserError, match=complaint):
        open_dataset(tmp_path / "data", VOCAB)


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
