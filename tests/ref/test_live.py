"""What a terminal shows of a run, and that nothing of it goes where no terminal is."""

import io
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from corpora import prepared
from rich.console import Console
from runs import BRISK
from toys import CountingLoader, small

from pgolf_ref import live, plots
from pgolf_ref.clock import Clock
from pgolf_ref.live import Bar, Pace, Plots, watching
from pgolf_ref.log import Log
from pgolf_ref.train import train

STEP = {"steps": 9, "fraction": 0.25, "tokens": 500}


def test_the_pace_is_told_from_the_second_step_on() -> None:
    pace = Pace()
    assert pace.step({**STEP, "step": 1, "seconds": 100.0}) == "step 1/9"
    pace.look({"loss": 2.5, "lr_multiplier": 0.75})
    told = pace.step({**STEP, "step": 2, "seconds": 102.0})
    assert told == "step 2/9  loss 2.5000  rate 0.750  250 tokens/s  0:05:06 left"


def test_a_clock_that_stands_still_has_no_pace() -> None:
    pace = Pace()
    for step in (1, 2):
        told = pace.step({**STEP, "step": step, "seconds": 0.0})
    assert told == "step 2/9  0:00:00 left"


def test_a_terminal_shows_the_steps_of_a_training() -> None:
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=160, color_system=None)
    ticks = iter(range(10**6))
    with Bar(console, redirect=False) as bar:
        config = small()
        train(config, CountingLoader(config), Clock(lambda: float(next(ticks))), Log(None, None, audience=bar))
        bar._progress.refresh()
        bar("begin", {"name": "quantise"})
        bar._progress.refresh()
    shown = screen.getvalue()
    assert "step 6/6  loss " in shown and "tokens/s  0:00:00 left" in shown and "100%" in shown
    assert shown.rindex("quantise") > shown.rindex("step 6/6")


def test_without_a_terminal_only_plots_follow(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    with watching() as audience:
        audience("step", {**STEP, "step": 1, "seconds": 0.0})
        assert isinstance(audience, Plots)
        monkeypatch.setattr(live.plots, "draw", lambda log: False)
        for _ in range(2):
            audience("finished", {"log": "train_seed1.log"})
    assert capsys.readouterr() == ("", "no plots: they need matplotlib (pip install matplotlib)\n")


def test_the_bar_is_on_the_terminal_and_the_log_where_standard_output_goes(tmp_path: Path) -> None:
    """Standard error is a terminal, standard output a pipe, as in `pgolf-train run ... | tee`."""
    ours, theirs = pty.openpty()
    options = [f"--set={value}" for value in (*BRISK, "run.steps=40", "evaluate.stride=12", "ttt.epochs=0")]
    command = [sys.executable, "-m", "pgolf_ref", "run", "--recipe", "tiny", *options, "--seeds", "1"]
    command += ["--data", str(prepared()), "--out", str(tmp_path / "out")]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "160", "TERM": "xterm"}
    done = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=theirs, text=True)
    os.close(theirs)
    shown = b""
    try:
        while data := os.read(ours, 65536):
            shown += data
    except OSError:  # how Linux tells that the other side is closed
        pass
    output = done.communicate()[0]
    assert done.returncode == 0, shown.decode()
    assert "step:40/40 train_loss:" in output and "tokens/s" not in output and "\x1b" not in output
    assert b"train_loss" not in shown and b"train" in shown
    assert plots.picture_path(tmp_path / "out" / "train_seed1.log").is_file()
