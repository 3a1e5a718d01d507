"""Published shards by name: what is asked of huggingface_hub, and what a fetch leaves; the hub is a folder here."""

import json
import sys
import types
from pathlib import Path

import pytest
from corpora import VOCAB, contents, prepared

from pgolf_ref.cli import DONE, FAILED, main
from pgolf_ref.data.dataset import open_dataset

ENTRY = {"name": "fineweb10B_sp400", "tokenizer_name": "sp_bpe_400", "stats": {"files_train": 3, "files_val": 1}}
INDEX = {
    "datasets": [ENTRY, {"name": "fineweb10B_byte260", "tokenizer_name": "bytes", "stats": {"files_train": 3, "files_val": 1}}],
    "tokenizers": [{"name": "sp_bpe_400", "model_path": "tokenizers/fineweb_400_bpe.model"}, {"name": "bytes"}],
}


class Hub:
    """The files of the challenge's repository, and which of them were asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.asked = folder, list[str]()
        shards = folder / "datasets" / "datasets" / "fineweb10B_sp400"
        shards.mkdir(parents=True)
        (folder / "datasets" / "tokenizers").mkdir()
        (folder / "datasets" / "manifest.json").write_text(json.dumps(INDEX))
        for name, data in contents(prepared()).items():
            if name.endswith(".bin"):
                (shards / name).write_bytes(data)
        (folder / "datasets" / "tokenizers" / "fineweb_400_bpe.model").write_bytes((prepared() / "tokenizer.model").read_bytes())

    def hf_hub_download(self, repo_id: str, filename: str, *, subfolder: str, repo_type: str) -> str:
        assert (repo_id, repo_type) == ("willdepueoai/parameter-golf", "dataset")
        self.asked.append(filename)
        path = self.folder / subfolder / filename
        if not path.is_file():
            raise FileNotFoundError(f"404 {subfolder}/{filename}\nRequest ID: 1")
        return str(path)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Hub:
    stand_in = types.ModuleType("huggingface_hub")
    made = Hub(tmp_path / "hub")
    stand_in.hf_hub_download = made.hf_hub_download  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "huggingface_hub", stand_in)
    return made


def fetch(out: Path, name: str = "sp400", shards: int = 2) -> int:
    return main(["prepare", "--published", name, "--train-shards", str(shards), "--out", str(out)])


def test_a_fetched_folder_is_a_data_folder(hub: Hub, tmp_path: Path) -> None:
    assert fetch(tmp_path / "data") == DONE
    dataset = open_dataset(tmp_path / "data", VOCAB)
    assert (dataset.name, dataset.train_shards) == ("fineweb10B_sp400", 2)
    first = "fineweb_train_000000.bin"
    assert (tmp_path / "data" / first).read_bytes() == (prepared() / first).read_bytes()


def test_what_is_there_is_not_fetched_again(hub: Hub, tmp_path: Path) -> None:
    lost = hub.folder / "datasets" / "datasets" / "fineweb10B_sp400" / "fineweb_train_000001.bin"
    kept = lost.rename(lost.with_suffix(".kept"))
    assert fetch(tmp_path / "data") == FAILED
    assert not (tmp_path / "data" / "manifest.json").exists()
    kept.rename(lost)
    hub.asked.clear()
    assert fetch(tmp_path / "data") == DONE
    assert hub.asked == ["manifest.json", "fineweb_train_000001.bin"]


@pytest.mark.parametrize(
    ("name", "shards", "message"),
    [
        ("sp9", 1, "the challenge publishes no data set 'sp9': give one of byte260, sp400"),
        ("sp400", 4, "sp400 has 3 training shards, not 4"),
        ("byte260", 1, "byte260 has no SentencePiece tokenizer"),
    ],
)
def test_what_is_not_published_is_told(
    name: str, shards: int, message: str, hub: Hub, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fetch(tmp_path / "data", name, shards) == FAILED
    assert message in capsys.readouterr().err.splitlines()[-1]
    assert not (tmp_path / "data").exists()


def test_a_machine_without_network_is_told_in_one_sentence(hub: Hub, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (hub.folder / "datasets" / "manifest.json").unlink()
    assert fetch(tmp_path / "data") == FAILED
    told = [line for line in capsys.readouterr().err.splitlines() if line.startswith("pgolf-train: ")]
    assert len(told) == 1 and "404" in told[0] and "without a network, prepare --corpus stdlib" in told[0]


def test_the_library_is_asked_for_where_it_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    assert fetch(tmp_path / "data") == FAILED
    assert "pip install huggingface_hub" in capsys.readouterr().err
