"""A corpus run that is cut short goes on where it stopped, and answers of different options are never mixed."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest

from fixtures import BASE
from pgolf_check.cli import main
from pgolf_check.corpus.results import resumed
from pgolf_check.corpus.worker import Options
from pgolf_check.errors import UserError
from pgolf_check.resources import rulebook_dir


def listed(tmp_path: Path, *paths: str) -> str:
    file = tmp_path / "list.txt"
    file.write_text("".join(f"{path}\n" for path in paths), encoding="utf-8")
    return str(file)


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_every_path_is_answered(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty").mkdir()
    paths = [str(BASE), str(tmp_path / "missing"), str(tmp_path / "empty"), str(BASE / "train_gpt.py")]
    assert main(["corpus", listed(tmp_path, *paths), "--format", "jsonl", "--jobs", "2"]) == 0
    found = {line["path"]: line for line in lines(capsys)}
    assert set(found) == set(paths)
    assert found[str(BASE)]["verdict"] == found[str(BASE / "train_gpt.py")]["verdict"] == "clean"
    schema = json.loads((rulebook_dir() / "schemas" / "report.schema.json").read_text(encoding="utf-8"))
    for line in found.values():
        jsonschema.Draft202012Validator(schema).validate(line)
    for path in paths[1:3]:
        assert found[path]["verdict"] == "incomplete"
        assert found[path]["findings"][0]["rule"] == "X101"  # type: ignore[index]


def test_a_cut_run_goes_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "answers.jsonl"
    paths = [str(BASE), str(tmp_path / "missing")]
    command = ["corpus", listed(tmp_path, *paths), "--format", "jsonl", "--witness", "paper", "--out", str(out)]
    assert main(command) == 0
    whole = out.read_bytes()
    capsys.readouterr()
    first, second = whole.splitlines(keepends=True)
    for cut in (b"", first, first + second[:20], whole):
        out.write_bytes(cut)
        assert main(command) == 0
        assert {line["path"] for line in lines(capsys)} == set(paths)
        assert sorted(json.loads(line)["path"] for line in out.read_bytes().splitlines()) == sorted(paths)
        assert out.read_bytes().startswith(cut[: len(first)])


def test_answers_of_other_options_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "answers.jsonl"
    with resumed(file, Options()) as (stream, kept):
        assert kept == []
        stream.write("{}\n")
    with resumed(file, Options()) as (_, kept):
        assert kept == [{}]
    with pytest.raises(UserError, match="other options|these options"), resumed(file, replace(Options(), profile="strict")):
        pass


def test_a_place_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be written"), resumed(tmp_path / "no" / "answers.jsonl", Options()):
        pass
