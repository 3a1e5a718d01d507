"""The picture of a run: its curves are those of the log's JSON lines."""

import builtins
import json
import struct
from pathlib import Path

import pytest
from toys import CountingLoader, small

from pgolf_ref.clock import Clock
from pgolf_ref.errors import UserError
from pgolf_ref.log import Log, events_path
from pgolf_ref.plots import curves, draw, picture_path
from pgolf_ref.train import train


def logged(folder: Path, *overrides: str) -> Path:
    """The log of a training of six steps that is validated before the first and after every third."""
    config, path = small("run.validate_every=3", *overrides), folder / "train_seed1.log"
    log = Log(path, None)
    train(config, CountingLoader(config), Clock(), log, validate=lambda model: (2.5, 1.25))
    log.close()
    return path


def test_the_curves_are_those_of_the_events(tmp_path: Path) -> None:
    lines = events_path(logged(tmp_path)).read_text(encoding="utf-8").splitlines()
    training, validation, rates = curves(lines)
    events = [json.loads(line) for line in lines]
    assert training == [(event["step"], event["loss"]) for event in events if event["event"] == "train"]
    assert [step for step, _ in training] == [step for step, _ in rates] == [1, 2, 3, 4, 5, 6]
    assert validation == [(0, 2.5), (3, 2.5), (6, 2.5)]
    assert rates[0][1] == 1.0 and rates[-1][1] < 1.0


def test_a_picture_lies_beside_its_log_and_depends_on_the_figures_alone(tmp_path: Path) -> None:
    log = logged(tmp_path)
    assert draw(log) and picture_path(log) == tmp_path / "train_seed1.png"
    first = picture_path(log).read_bytes()
    assert first[:8] == b"\x89PNG\r\n\x1a\n" and struct.unpack(">II", first[16:24]) == (800, 600)
    assert draw(log) and picture_path(log).read_bytes() == first
    events_path(log).write_text(events_path(log).read_text(encoding="utf-8").replace('"loss": 2.5', '"loss": 1.5'))
    assert draw(log) and picture_path(log).read_bytes() != first
    assert {path.name for path in tmp_path.iterdir()} == {log.name, events_path(log).name, picture_path(log).name}


def test_a_run_without_validation_or_steps_has_a_picture(tmp_path: Path) -> None:
    events_path(tmp_path / "a.log").write_text("")
    assert draw(tmp_path / "a.log")


def test_without_matplotlib_there_is_no_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log, importing = logged(tmp_path), builtins.__import__

    def missing(name: str, *rest: object) -> object:
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return importing(name, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(builtins, "__import__", missing)
    assert not draw(log) and not picture_path(log).exists()


def test_a_picture_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    log = logged(tmp_path)
    picture_path(log).mkdir()
    with pytest.raises(UserError, match="cannot write .*train_seed1.png"):
        draw(log)
