"""The verbs that measure or write: size, stats and init."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fixtures import BASE
from pgolf_check.cli import main


def test_size_shows_four_totals(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["size", str(BASE)]) == 0
    rows = [line.split("  ")[0] for line in capsys.readouterr().out.splitlines()]
    assert rows == ["total", "as logged", "model + script", "+ files it brings in", "packed"]


def test_size_without_a_log_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "train_gpt.py").write_text("import torch\n", encoding="utf-8")
    assert main(["size", str(tmp_path)]) == 0
    assert all(" - " in line or line.endswith("-") for line in capsys.readouterr().out.splitlines()[1:])


def test_stats_shows_runs_tests_and_claims(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["stats", str(BASE)]) == 0
    out = capsys.readouterr().out
    assert "2026-04-01_Vocab4096" in out and "mean only" in out and "Welch, ddof 0" in out
    assert "val_bpb of seed 42" in out and "contradicted" not in out


def test_stats_against_a_rival(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["stats", str(BASE), "--rival", "1.0099,1.0101,1.0103"]) == 0
    given = capsys.readouterr().out
    assert main(["stats", str(BASE), "--rival", "a2_muon097"]) == 0
    named = capsys.readouterr().out
    assert "against 1.0099,1.0101,1.0103 1.01010000" in given and "against 2026-04-09_A2_Muon097_3Seed" in named


@pytest.mark.parametrize(("rival", "told"), [("nobody", "no row"), ("SP8192", "fits"), ("-0.5", "no row"), ("nan", "no row")])
def test_a_rival_that_cannot_be_used(rival: str, told: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["stats", str(BASE), f"--rival={rival}"]) == 2
    assert told in capsys.readouterr().err


def test_init_writes_what_the_checker_reads(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "records" / "track_non_record_16mb" / "2026-05-01_Mine"
    assert main(["init", str(folder)]) == 0
    metadata = json.loads((folder / "submission.json").read_text(encoding="utf-8"))
    assert (metadata["name"], metadata["track"]) == ("2026-05-01_Mine", "track_non_record_16mb")
    capsys.readouterr()
    assert main(["paper", "--select", "P", "--format", "json", str(folder)]) == 1
    told = " ".join(f["message"] for f in json.loads(capsys.readouterr().out)["findings"] if f["severity"] == "block")
    assert "val_bpb is null" in told and "train" in told and "README" not in told
    assert main(["init", str(folder)]) == 2
