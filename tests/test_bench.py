"""The verb that measures: what it counts, not how fast anything is."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures import BASE
from pgolf_check.bench import CACHE, PARSERS, PARTS, Times, fixtures
from pgolf_check.cli import main

SECONDS = st.lists(st.floats(0, 100, allow_nan=False), min_size=1, max_size=60)


@given(SECONDS)
def test_the_percentile_is_the_smallest_value_that_95_percent_do_not_exceed(seconds: list[float]) -> None:
    found = Times(tuple(seconds)).figures()
    enough = [v for v in sorted(seconds) if 20 * sum(w <= v for w in seconds) >= 19 * len(seconds)]
    assert found["p95"] == enough[0]
    assert found["median"] <= found["p95"] <= found["max"] == max(seconds)


def _list(tmp_path: Path, *paths: object) -> str:
    file = tmp_path / "list.txt"
    file.write_text("".join(f"{path}\n" for path in paths), encoding="utf-8")
    return str(file)


def test_bench_tells_cold_warm_parts_and_memory(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = _list(tmp_path, BASE / "train_gpt.py", tmp_path / "missing.py")
    before = os.environ.get(CACHE)
    assert main(["bench", asked, "--witness", "static", "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["paths"] == 2 and os.environ.get(CACHE) == before
    assert list(found["parts"]) == list(PARTS) and list(found["parsers"]) == list(PARSERS)
    assert found["worker_megabytes"] > 10
    for figures in (found["cold"], found["warm"], *found["parts"].values(), *found["parsers"].values()):
        assert 0 <= figures["median"] <= figures["p95"] <= figures["max"] <= figures["sum"]


def test_paths_that_cannot_be_read_or_parsed_have_no_parts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    broken = tmp_path / "train_gpt.py"
    broken.write_text("def f(:\n", encoding="utf-8")
    assert main(["bench", _list(tmp_path, tmp_path / "missing.py", broken)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "2 paths; seconds" and [line.split()[0] for line in lines[2:-1]] == ["cold", "warm"]


def test_an_empty_list_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", _list(tmp_path)]) == 2
    assert "names no path" in capsys.readouterr().err


def test_the_paths_of_a_checkout_are_the_scripts_of_its_fixtures() -> None:
    assert all(path.endswith(".py") and Path(path).is_file() for path in fixtures()) and len(fixtures()) > 5
