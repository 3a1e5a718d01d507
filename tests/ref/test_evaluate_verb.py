"""`pgolf-train evaluate` says of an artifact what the run that made it said, and leaves the losses of every token."""

import json
from pathlib import Path

import numpy as np
import pytest
from corpora import VOCAB, prepared
from replays import read_replay
from runs import BRISK, experiment

from pgolf_ref.cli import main
from pgolf_ref.data.dataset import open_dataset
from pgolf_ref.run import SeedResult


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, SeedResult]:
    """An artifact, and the figures of its run."""
    out = tmp_path_factory.mktemp("evaluated") / "tiny"
    return out / "model_seed5.pgolf", experiment(out, seeds=(5,))[0]


def evaluate(artifact: Path, *more: str) -> int:
    sets = [part for value in BRISK for part in ("--set", value)]
    return main(["evaluate", str(artifact), "--recipe", "tiny", "--data", str(prepared()), *sets, *more])


def test_the_score_is_that_of_the_run(made: tuple[Path, SeedResult], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    artifact, result = made
    losses, ledger = tmp_path / "losses.npz", tmp_path / "ledger.jsonl"
    assert evaluate(artifact, "--losses", str(losses), "--ledger", str(ledger), "--format", "json") == 0
    told = json.loads(capsys.readouterr().out)
    assert [each["name"] for each in told["passes"]] == ["chunked", "sliding", "test-time training"]
    assert round(told["passes"][-1]["bpb"], 8) == result.val_bpb and round(told["passes"][-1]["loss"], 8) == result.val_loss
    assert told["seconds"] >= sum(each["seconds"] for each in told["passes"])
    assert ledger.read_text() == artifact.with_name("ledger_seed5.jsonl").read_text()
    read_replay(ledger.read_text())
    arrays, dataset = np.load(losses), open_dataset(prepared(), VOCAB)
    assert np.array_equal(arrays["tokens"], dataset.validation[1:])
    assert arrays["nats"].dtype == np.float64 and arrays["nats"].mean() == pytest.approx(told["passes"][-1]["loss"], rel=1e-12)
    assert arrays["bytes"].sum() == told["passes"][-1]["bytes"]


def test_the_table_tells_every_pass_and_the_time(made: tuple[Path, SeedResult], capsys: pytest.CaptureFixture[str]) -> None:
    assert evaluate(made[0], "--set", "ttt.epochs=0", "--set", "evaluate.layout=documents") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[:3]] == ["pass", "chunked", "sliding"]
    assert lines[-1].endswith("to load") and "of 600 s" in lines[-1]


@pytest.mark.parametrize(
    ("artifact", "more", "message"),
    [
        ("absent.pgolf", [], "absent.pgolf: No such file or directory; name an artifact"),
        ("broken.pgolf", [], "artifact"),
        ("model_seed5.pgolf", ["--set", "ttt.score_epoch=last"], "rule C302"),
        ("model_seed5.pgolf", ["--set", "evaluate.layout=varlen"], "needs model.attention.documents"),
        ("model_seed5.pgolf", ["--losses", "/proc/absent/losses.npz"], "cannot write"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(
    made: tuple[Path, SeedResult], artifact: str, more: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = made[0].parent
    (folder / "broken.pgolf").write_bytes(made[0].read_bytes()[:-9])
    assert evaluate(folder / artifact, *more) == 1
    told = capsys.readouterr()
    assert message in told.err and "Traceback" not in told.err and not told.out
