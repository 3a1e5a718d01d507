"""pgolf-train from the outside: exit codes, one sentence per mistake, and what survives an interruption."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from corpora import contents, prepared, texts, write_jsonl
from runs import BRISK

from pgolf_ref import cli
from pgolf_ref.cli import DEFECT, DONE, FAILED, INTERRUPTED, USAGE, main
from pgolf_ref.config import recipe_names

RUN = ["run", "--recipe", "tiny", *(f"--set={value}" for value in BRISK)]


def start(*arguments: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "pgolf_ref", *arguments]
    return subprocess.Popen(
        command,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=heed_interrupts,
    )


def heed_interrupts() -> None:
    """A shell ignores the signal for what it starts in the background."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def wait_for(path: Path, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 600
    while not path.exists():
        assert process.poll() is None and time.monotonic() < deadline, f"{path.name} has not appeared"
        time.sleep(0.005)


def test_recipes_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["recipes"]) == DONE
    first_words = [line.split()[0].rstrip("*") for line in capsys.readouterr().out.splitlines()]
    assert [word for word in first_words if word in recipe_names()] == list(recipe_names())


@pytest.mark.parametrize(
    "arguments", [["nothing"], ["run"], [*RUN, "--seeds", "1,x", "--out", "o"], ["prepare", "--vocab-size", "x"]]
)
def test_wrong_usage_is_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == USAGE
    assert "Error: " in capsys.readouterr().err


@pytest.mark.parametrize("seeds", ["", "1,1", "-1", "1.5"])
def test_seeds_that_are_no_distinct_numbers_are_refused(seeds: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*RUN, f"--seeds={seeds}", "--out", "unused"]) == USAGE
    assert "is not a list of distinct whole numbers such as 42,314,999" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "--recipe", "tinny", "--out", "unused"], "no recipe 'tinny'"),
        ([*RUN, "--set", "run.stops=3", "--out", "unused"], "unknown value 'run.stops' (did you mean run.steps?)"),
        ([*RUN, "--data", "nowhere", "--out", "unused"], "no data folder nowhere"),
        ([*RUN, "--data", str(prepared()), "--set", "model.vocab_size=64", "--out", "unused"], "has 400 pieces"),
        (["prepare", "--corpus", "nowhere", "--out", "unused"], "no corpus 'nowhere'"),
    ],
)
def test_a_mistake_is_one_sentence(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == FAILED
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("pgolf-train: ") and message in error
    assert not Path("unused").exists()


def test_a_truncated_shard_is_told_before_training(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, data in contents(prepared()).items():
        (tmp_path / name).write_bytes(data[:-1] if name == "fineweb_train_000001.bin" else data)
    assert main([*RUN, "--data", str(tmp_path), "--out", str(tmp_path / "out")]) == FAILED
    assert "fineweb_train_000001.bin has" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("verb", ["prepare", "run"])
def test_an_output_that_cannot_be_written_is_one_sentence(verb: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Below a regular file nothing can be written, whoever asks."""
    (tmp_path / "file").touch()
    corpus = ["--corpus", str(write_jsonl(tmp_path / "c.jsonl", texts(9))), "--vocab-size", "400", "--validation-share", "0.2"]
    arguments = {"prepare": ["prepare", *corpus], "run": [*RUN, "--data", str(prepared())]}[verb]
    assert main([*arguments, "--out", str(tmp_path / "file" / "out")]) == FAILED
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("pgolf-train: cannot write") and "Not a directory" in error


def test_a_defect_is_3_and_asks_for_a_report(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def broken(text: str) -> list[int]:
        raise ZeroDivisionError("by design")

    monkeypatch.setattr(cli, "_seeds", broken)
    assert main([*RUN, "--out", "unused"]) == DEFECT
    error = capsys.readouterr().err
    assert "ZeroDivisionError: by design" in error and "please report it" in error


# Interruptions


def test_a_killed_run_keeps_its_finished_seed(tmp_path: Path) -> None:
    folders = ["--out", str(tmp_path / "out"), "--weights", str(tmp_path / "weights")]
    arguments = [*RUN, "--data", str(prepared()), "--seeds", "1,2", *folders]
    process = start(*arguments)
    wait_for(tmp_path / "out" / ".seed_1.json", process)
    wait_for(tmp_path / "out" / ".train_seed2.log.partial", process)
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    kept = {name: data for name, data in contents(tmp_path / "out").items() if not name.startswith(".")}
    run = {"train_seed1.log", "train_seed1.events.jsonl", "train_seed1.png", "model_seed1.pgolf", "ledger_seed1.jsonl"}
    assert set(kept) == run
    again = start(*arguments)
    again.communicate()
    assert again.returncode == DONE
    done = contents(tmp_path / "out")
    assert {name: done[name] for name in kept} == kept
    assert "submission.json" in done and not any(name.startswith(".") for name in done)
    assert set(contents(tmp_path / "weights")) == {"weights_seed1.npz", "weights_seed2.npz"}


@pytest.mark.parametrize("moment", ["train", "prepare"])
def test_ctrl_c_is_one_sentence_and_130(moment: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    if moment == "train":
        process = start(*RUN, "--set=run.steps=100000", "--data", str(prepared()), "--seeds", "1", "--out", str(out))
        wait_for(out / ".train_seed1.log.partial", process)
    else:
        process = start("prepare", "--corpus", "stdlib", "--max-bytes", "2000000", "--shard-tokens", "2000", "--out", str(out))
        wait_for(out / "fineweb_train_000002.bin", process)
    process.send_signal(signal.SIGINT)
    _, error = process.communicate()
    assert process.returncode == INTERRUPTED
    assert error.splitlines()[-1] == f"pgolf-train: interrupted; what is finished is kept, {cli.GO_ON}"
    assert "Traceback" not in error
    assert not (out / "submission.json").exists() and not (out / "manifest.json").exists()


@pytest.mark.parametrize("first", ["click", "torch"])
def test_ctrl_c_during_an_import_is_one_sentence_and_130(first: str, tmp_path: Path) -> None:
    """The module that is imported first interrupts; its text is compiled and run, as dataclasses and named tuples are."""
    (tmp_path / f"{first}.py").write_text("import os, signal\nexec('os.kill(os.getpid(), signal.SIGINT)')\n")
    (tmp_path / "start.py").write_text("import sys\nfrom pgolf_ref.__main__ import main\nsys.exit(main())\n")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])}
    command = [sys.executable, str(tmp_path / "start.py"), *RUN, "--data", str(prepared()), "--out", str(tmp_path / "out")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, preexec_fn=heed_interrupts)
    assert done.returncode == INTERRUPTED
    told = done.stderr.strip()
    assert told.startswith("pgolf-train: interrupted") and "\n" not in told


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 128 KiB."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", str(place)], capture_output=True)
    if mounted.returncode:
        pytest.skip("mounting a small file system needs more rights than this user has")
    yield place
    subprocess.run(["umount", str(place)], check=True)


@pytest.mark.parametrize("verb", ["prepare", "run"])
def test_a_full_disk_is_one_sentence(verb: str, small_disk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = {
        "prepare": ["prepare", "--max-bytes", "2000000", "--out", str(small_disk / "data")],
        "run": [*RUN, "--data", str(prepared()), "--seeds", "1", "--out", str(small_disk / "out")],
    }[verb]
    assert main(arguments) == FAILED
    error = capsys.readouterr().err.splitlines()[-1]
    assert "No space left on device" in error and error.startswith("pgolf-train: ")
    left = [path.name for path in small_disk.rglob("*") if path.is_file()]
    assert "manifest.json" not in left and "submission.json" not in left
    assert not any(name.endswith(".bin.partial") for name in left)
