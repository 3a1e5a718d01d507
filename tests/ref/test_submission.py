"""The records folder: consistent figures, counted code, a script that runs alone, and resumption seed by seed."""

import json
import math
import os
import re
import shutil
import statistics
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from corpora import contents, prepared
from runs import SEEDS, experiment

from pgolf_ref import experiment as experiment_module
from pgolf_ref import files
from pgolf_ref.errors import UserError
from pgolf_ref.log import RULE


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished submission; read only."""
    out = tmp_path_factory.mktemp("finished") / "submission"
    experiment(out)
    return out


def exact(log: str) -> tuple[float, float]:
    """Loss and bits per byte of the last exact line."""
    found = re.findall(r"^final_\w+_exact val_loss:([\d.]+) val_bpb:([\d.]+)$", log, re.MULTILINE)
    return float(found[-1][0]), float(found[-1][1])


def body(log: str) -> str:
    """A log without the source at its beginning."""
    return log.split(RULE, 2)[2]


def test_the_folder_holds_what_a_submission_needs_and_nothing_else(folder: Path) -> None:
    per_seed = {f"{stem}{seed}{suffix}" for seed in SEEDS for stem, suffix in
                (("train_seed", ".log"), ("train_seed", ".events.jsonl"), ("model_seed", ".pgolf"), ("ledger_seed", ".jsonl"))}  # fmt: skip
    common = {"README.md", "submission.json", "requirements.txt", "train_gpt.py"}
    assert set(contents(folder)) == per_seed | common


def test_the_claim_is_the_mean_of_the_logs(folder: Path) -> None:
    metadata = json.loads((folder / "submission.json").read_text())
    scores = [exact((folder / f"train_seed{seed}.log").read_text()) for seed in SEEDS]
    assert metadata["val_bpb"] == pytest.approx(statistics.fmean(bpb for _, bpb in scores), abs=1e-8)
    assert metadata["val_loss"] == pytest.approx(statistics.fmean(loss for loss, _ in scores), abs=1e-8)
    assert metadata["seeds"] == list(SEEDS)
    assert [metadata["seed_results"][str(seed)]["val_bpb"] for seed in SEEDS] == [bpb for _, bpb in scores]
    assert scores[0] != scores[1]


@pytest.mark.parametrize("seed", SEEDS)
def test_a_log_is_consistent(folder: Path, seed: int) -> None:
    """Sizes add up and are those of the files; every score implies the bytes of the edition."""
    log = body((folder / f"train_seed{seed}.log").read_text())
    code = int(re.search(r"^Code size: (\d+) bytes$", log, re.MULTILINE)[1])
    model = int(re.search(r"^Serialized model int6\+brotli: (\d+) bytes$", log, re.MULTILINE)[1])
    total = int(re.search(r"^Total submission size int6\+brotli: (\d+) bytes$", log, re.MULTILINE)[1])
    shipped = sum(len(data) for name, data in contents(folder).items() if name.endswith(".py"))
    assert total == code + model and code == shipped
    assert model == (folder / f"model_seed{seed}.pgolf").stat().st_size
    assert re.findall(r"^seed:(\d+)$", log, re.MULTILINE) == [str(seed)]
    (split,) = tomllib.loads((prepared() / "edition.toml").read_text())["validation"]["splits"]
    assert re.search(r"^val_loader:shards pattern=\S+ tokens:(\d+)$", log, re.MULTILINE)[1] == str(split["tokens"])
    finals = re.findall(r"^final_(\w+)_exact val_loss:(\S+) val_bpb:(\S+)$", log, re.MULTILINE)
    assert [name for name, _, _ in finals] == ["int6_brotli_roundtrip", "int6_sliding_window", "int6_ttt"]
    for _, loss, bpb in finals:
        assert split["tokens"] * float(loss) / (float(bpb) * math.log(2)) == pytest.approx(split["bytes"], rel=1e-7)


def test_a_log_begins_with_the_script(folder: Path) -> None:
    script = (folder / "train_gpt.py").read_text()
    for seed in SEEDS:
        assert (folder / f"train_seed{seed}.log").read_text().split(RULE)[0] == script


def test_the_replay_adds_up_to_the_claim(folder: Path) -> None:
    for seed in SEEDS:
        events = [json.loads(line) for line in (folder / f"ledger_seed{seed}.jsonl").read_text().splitlines()]
        loss, _ = exact((folder / f"train_seed{seed}.log").read_text())
        assert round(events[-1]["nats"] / events[-1]["tokens"], 8) == loss
        assert [e["event"] for e in events].count("update") == [e["event"] for e in events].count("score") - 1 > 0


def test_the_script_explains_a_missing_data_folder(folder: Path, tmp_path: Path) -> None:
    command = [sys.executable, str(folder / "train_gpt.py"), "--data", str(tmp_path / "none"), "--out", str(tmp_path / "out")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1 and done.stderr.startswith("error: no data folder") and done.stderr.count("\n") == 1


def test_a_submission_over_its_cap_says_so_in_the_log(tmp_path: Path) -> None:
    experiment(tmp_path / "out", "export.cap_bytes=1000", seeds=(5,))
    assert re.search(
        r"^over_cap: the submission is \d+ bytes over its cap$", (tmp_path / "out" / "train_seed5.log").read_text(), re.M
    )


# Resumption


def test_an_interruption_at_any_file_is_made_good_by_the_next_call(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Several places: within the first seed, between the seeds, and while the folder is completed."""
    replace, calls = os.replace, [0]

    def interrupted(source: Path, target: Path) -> None:
        calls[0] -= 1
        if calls[0] < 0:
            raise KeyboardInterrupt
        replace(source, target)

    monkeypatch.setattr(files.os, "replace", interrupted)
    out = tmp_path / "cut"
    calls[0] = whole = 10**6
    experiment(out)
    files_named = whole - calls[0]
    for survived in (0, 1, 3, 4, 5, files_named - 3, files_named - 1):
        calls[0] = survived
        shutil.rmtree(out, ignore_errors=True)
        with pytest.raises(KeyboardInterrupt):
            experiment(out)
        assert not (out / "submission.json").exists()
        calls[0] = 10**6
        experiment(out)
        assert set(contents(out)) == set(contents(folder))
        for name, data in contents(folder).items():
            if name.endswith((".py", ".pgolf", ".jsonl", ".txt")) and not name.endswith(".events.jsonl"):  # with times
                assert (out / name).read_bytes() == data, name
        claims = [json.loads((place / "submission.json").read_text())["val_bpb"] for place in (out, folder)]
        assert claims[0] == claims[1]


def test_a_finished_seed_is_not_run_again(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "out"
    shutil.copytree(folder, out)
    ran: list[int] = []
    run_seed = experiment_module.run_seed

    def watched(config, *rest):  # type: ignore[no-untyped-def]
        ran.append(config.run.seed_init)
        return run_seed(config, *rest)

    monkeypatch.setattr(experiment_module, "run_seed", watched)
    before = contents(out)
    experiment(out)
    assert ran == [] and {**contents(out), "submission.json": b""} == {**before, "submission.json": b""}
    experiment(out, seeds=(9,))
    assert ran == [9]
    assert json.loads((out / "submission.json").read_text())["seeds"] == [9, *SEEDS]
    assert (out / f"train_seed{SEEDS[0]}.log").read_bytes() == before[f"train_seed{SEEDS[0]}.log"]


def test_runs_of_another_configuration_are_not_mixed(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    shutil.copytree(folder, out)
    with pytest.raises(UserError, match="holds runs of another configuration, code or data"):
        experiment(out, "run.steps=4")
    assert contents(out) == contents(folder)
