"""The page on the paper witness: what it counts, from reports on fixtures."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import paper

from fixtures import BASE
from pgolf_check.stats.claims import Standing


def folder(root: Path, pull_request: str, track: str) -> str:
    return str(shutil.copytree(BASE, root / pull_request / "records" / track / "2026-04-01_New"))


def cells(rows: list[tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    return {name: tuple(rest) for name, *rest in rows}


def test_the_legal_record_is_counted(tmp_path: Path) -> None:
    paths = [folder(tmp_path, "7-0123abcd", "track_10min_16mb"), folder(tmp_path, "8-0123abcd", "track_non_record_16mb")]
    judged = [found for path in paths if (found := paper.judge(path)) is not None]
    measured = [paper.measure(one) for one in judged]
    assert [m.standing for m in measured] == [Standing.MEAN] * 2
    told = cells(paper.implied(judged))
    assert told["pull requests whose logs imply a byte count"] == told["all of it within 151.07 to 151.09 million"] == ("2",)
    assert cells(paper.claims(measured))[Standing.MEAN.value] == ("1", "1")
    assert cells(paper.claims(measured))["classed, both tracks"] == ("2", "")
    text = paper.page(judged, measured, paper.Ran(1, 2.0, 0, [0.25], [1.5]), [])
    assert "2 submission folders, of 2 pull request heads" in text
    assert not any("nan" in line for line in text.splitlines() if line.startswith("|"))


def test_a_missing_log_is_counted_once_for_each_rule(tmp_path: Path) -> None:
    path = Path(folder(tmp_path, "7-0123abcd", "track_10min_16mb"))
    for log in path.glob("*.log"):
        log.unlink()
    (path / "README.md").unlink()
    judged = paper.judge(str(path))
    assert judged is not None
    rows = cells(paper.by_rule([judged.report]))
    assert rows["P101 missing-file"][0] == "1" and rows["S101 artifact-over-cap"] == ("0", "0", "0", "1")


def test_a_folder_of_submissions_is_passed_over(tmp_path: Path) -> None:
    for name in ("a", "b"):
        shutil.copytree(BASE, tmp_path / "several" / name)
    assert paper.judge(str(tmp_path / "several")) is None


def test_readings_are_counted_by_sample() -> None:
    readings = [json.loads(line) for line in (paper.HERE / "readings.jsonl").read_text().splitlines()]
    rows = cells(paper.read_by_hand([r for r in readings if r["witness"] == "paper"]))
    assert sum(map(int, rows["at random, any rule"])) == 40
    assert all({"pr", "sha", "path", "witness", "verdict", "rule", "reading"} <= set(r) for r in readings)


def test_a_share_is_a_value_that_was_measured() -> None:
    assert (paper.share([3.0, 1.0, 2.0], 0.5), paper.share([3.0, 1.0, 2.0], 0.99), paper.share([], 0.5)) == (2.0, 3.0, 0.0)
