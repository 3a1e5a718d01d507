"""Phases in a log: one line for each that a program can read, one JSON line of the same figures, and a table."""

import json
import re
from pathlib import Path

import pytest
from corpora import prepared
from runs import brisk
from test_clock import Hand

from pgolf_ref.clock import Clock
from pgolf_ref.distributed import World
from pgolf_ref.log import Log, events_path
from pgolf_ref.phases import table, timed
from pgolf_ref.run import log_name, run_seed, with_seed

LINE = re.compile(r"phase:(\S+) seconds:(\d+\.\d{3}) budget:(none|\d+\.\d+s)")


def test_a_run_tells_every_phase_in_order(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = brisk(
        "evaluate.budget_seconds=500", "run.budget_seconds=300", "export.rounding=['matrix=gptq']", "export.reserve_seconds=10"
    )
    run_seed(with_seed(config, 3, str(prepared())), "# script", tmp_path, World.single())
    log = tmp_path / log_name(3)
    told = [match for line in log.read_text(encoding="utf-8").splitlines() if (match := LINE.fullmatch(line))]
    budgets = {match[1]: match[3] for match in told}
    assert list(budgets) == ["data", "warm-up", "train", "average", "calibrate", "quantise", "evaluate", "sliding", "ttt"]
    assert len(told) == len(budgets)
    assert budgets["train"] == "290.0s" and budgets["ttt"] == "500.0s" and budgets["average"] == budgets["quantise"] == "none"
    events = [json.loads(line) for line in events_path(log).read_text(encoding="utf-8").splitlines()]
    phases = {event["name"]: event for event in events if event["event"] == "phase"}
    for match in told:
        assert phases[match[1]]["seconds"] == pytest.approx(float(match[2]), abs=0.001)
    left = 300 - phases["train"]["seconds"] - phases["average"]["seconds"]
    assert phases["calibrate"]["budget"] == pytest.approx(left, abs=0.001)
    assert float(budgets["calibrate"].removesuffix("s")) == pytest.approx(left, abs=0.06)
    assert phases["train"]["budget"] == 290.0 and phases["data"]["budget"] == 0.0
    shown = capsys.readouterr().out.splitlines()
    first = next(number for number, line in enumerate(shown) if line.split() == ["phase", "seconds", "budget"])
    assert [line.split()[0] for line in shown[first + 1 :]] == [*budgets, "total"]


def test_a_run_tells_its_peak_memory(tmp_path: Path) -> None:
    """More than Python and torch alone take, less than any machine has; and never less later on."""
    run_seed(with_seed(brisk(), 3, str(prepared())), "# script", tmp_path, World.single())
    text = (tmp_path / log_name(3)).read_text(encoding="utf-8")
    told = [int(size) for size in re.findall(r"^peak memory resident: (\d+) MiB$", text, re.MULTILINE)]
    events = [json.loads(line) for line in events_path(tmp_path / log_name(3)).read_text(encoding="utf-8").splitlines()]
    peaks = {event["after"]: event["resident"] for event in events if event["event"] == "memory"}
    assert [peaks[after] // 2**20 for after in ("training", "evaluation")] == told
    assert 50 < told[0] <= told[1] < 10**6


def test_a_phase_that_fails_has_no_line(tmp_path: Path) -> None:
    hand, log = Hand(), Log(tmp_path / "run.log", None)
    clock = Clock(hand)
    with timed(clock, log, "good"):
        hand.at += 2
    with pytest.raises(ZeroDivisionError), timed(clock, log, "bad", 5.0):
        hand.at += 3
        raise ZeroDivisionError
    log.close()
    assert (tmp_path / "run.log").read_text(encoding="utf-8") == "phase:good seconds:2.000 budget:none\n"
    assert table(clock.phases) == ["phase  seconds  budget", "good       2.0    none", "bad        3.0    5.0s", "total      5.0"]


def test_those_who_follow_are_told_what_begins_and_what_has_ended() -> None:
    heard: list[tuple[str, object]] = []
    log = Log(None, None, audience=lambda kind, figures: heard.append((kind, figures["name"])))
    with timed(Clock(), log, "one"):
        assert heard == [("begin", "one")]
    assert heard == [("begin", "one"), ("phase", "one")]
