"""Ablations: paired differences against a calculation by hand, and runs that are made once."""

import json
import math
from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pytest
from corpora import prepared
from hypothesis import given
from runs import BRISK
from scipy.stats import ttest_1samp

from pgolf_ref.ablation import Arm, Toggle, margin_of, read_toggles, rows, slug, table
from pgolf_ref.cli import DONE, FAILED, main
from pgolf_ref.errors import UserError
from pgolf_ref.run import SeedResult

TOGGLES = """
[[toggle]]
name = "no mix | of residuals"
set = ["model.block.residual_mix=false"]
published = "+0.01"

[[toggle]]
name = "relu"
set = ["model.block.activation=relu"]
"""


def result(seed: int, bpb: float, size: int = 10) -> SeedResult:
    return SeedResult(seed, 2 * bpb, bpb, size, 5, 4, 2.0, 1.0)


@given(st.lists(st.floats(-1, 1), min_size=2, max_size=9).filter(lambda values: np.std(values) > 1e-3))
def test_the_interval_is_that_of_a_paired_test(values: list[float]) -> None:
    interval = ttest_1samp(values, 0.0).confidence_interval(0.95)
    assert np.mean(values) + margin_of(values) == pytest.approx(interval.high)
    assert np.mean(values) - margin_of(values) == pytest.approx(interval.low)


def test_differences_are_of_one_seed() -> None:
    base = Arm(Toggle("baseline", ()), (result(1, 1.0), result(2, 2.0)))
    arm = Arm(Toggle("t", ("a.b=1",), "-0.1"), (result(1, 0.9, 20), result(2, 1.9, 40)))
    first, second = rows([base, arm])
    assert "delta" not in first and first["ms_per_step"] == 500.0
    assert second["delta"] == pytest.approx(-0.1) and second["low"] == pytest.approx(-0.1) and second["artifact_bytes"] == 30
    assert "| t<br>`a.b=1` | 1.4000 | -0.1000 (-0.1000 to -0.1000) | 500.0 | 30 | -0.1 |" in table([base, arm])


def test_one_seed_has_no_interval() -> None:
    arms = [Arm(Toggle(name, ()), (result(1, bpb),)) for name, bpb in (("baseline", 1.0), ("t", 1.25))]
    assert math.isinf(rows(arms)[1]["high"]) and "| +0.2500 |" in table(arms)


def test_every_run_is_made_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    toggles, out = tmp_path / "toggles.toml", tmp_path / "out"
    toggles.write_text(TOGGLES, encoding="utf-8")
    command = [
        "ablate",
        "--recipe",
        "tiny",
        "--toggles",
        str(toggles),
        "--seeds",
        "5,7",
        "--out",
        str(out),
        "--data",
        str(prepared()),
    ]
    command += [f"--set={value}" for value in BRISK]
    assert main(command) == DONE
    told = capsys.readouterr().out
    assert "no mix \\| of residuals" in told and told.rstrip().endswith("ablation.md")
    made = {path: path.stat().st_mtime_ns for path in out.rglob("*seed*")}
    assert {path.parent.name for path in made} == {"baseline", slug("no mix | of residuals"), "relu"}
    found = json.loads((out / "ablation.json").read_text())
    assert [row["name"] for row in found] == ["baseline", "no mix | of residuals", "relu"] and found[2]["delta"] != 0
    (out / "relu" / "seed_7.json").unlink()
    assert main(command) == DONE
    assert json.loads((out / "ablation.json").read_text())[1] == found[1]
    again = {path: path.stat().st_mtime_ns for path in out.rglob("*seed*")}
    assert {path for path in made if made[path] != again[path]} <= set((out / "relu").glob("*seed*7*"))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("x = 1", "holds no"),
        ("[[toggle]]\nname = 'a'", "toggle 1 needs a name"),
        ("[[toggle]]\nname = 'a'\nset = [1]", "toggle 1 needs a name"),
        ("[[toggle]]\nname = 'a'\nset = ['b.c=1']\nother = 2", "toggle 1 needs a name"),
        ("[[toggle]]\nname = 'baseline'\nset = ['b.c=1']", "share the folder baseline"),
        ("[[toggle]]\nname = 'a b'\nset = ['b.c=1']\n[[toggle]]\nname = 'a/b'\nset = ['b.c=1']", "share the folder a_b"),
        ("[[toggle", "cannot be read as TOML"),
    ],
)
def test_a_file_of_toggles_is_checked(tmp_path: Path, text: str, complaint: str) -> None:
    path = tmp_path / "toggles.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=complaint):
        read_toggles(path)


def test_a_toggle_that_cannot_be_is_told_before_the_first_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    toggles = tmp_path / "toggles.toml"
    toggles.write_text("[[toggle]]\nname = 'a'\nset = ['model.heads=0']\n", encoding="utf-8")
    assert main(["ablate", "--recipe", "tiny", "--toggles", str(toggles), "--out", str(tmp_path / "out")]) == FAILED
    assert "model.heads" in capsys.readouterr().err and not (tmp_path / "out").exists()
