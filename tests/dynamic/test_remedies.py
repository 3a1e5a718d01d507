"""What is tried after a run that stated no loss: read from its reason, three attempts at most, none twice."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from pgolf_check.dynamic.harness import contained, trial
from pgolf_check.dynamic.harness.configuration import LESS_STREAM, STREAM, Probe, colliding, first_configuration, on_stream
from pgolf_check.dynamic.harness.remedies import ATTEMPTS, next_attempt
from pgolf_check.dynamic.sandbox import Ending, Job, Limits
from pgolf_check.dynamic.sandbox.job import Mechanism, Outcome

FIRST = first_configuration(Probe.EVALUATION)


@pytest.mark.parametrize(
    ("reason", "variable", "value"),
    [
        ("KeyError: 'LOCAL_RANK'", "LOCAL_RANK", "0"),
        ("IndexError: index 4 is out of range", "NUM_LAYERS", "6"),
        ("killed: wall-clock limit", "VAL_BATCH_SIZE", "2048"),
        ("ended without a loss", "MAX_WALLCLOCK_SECONDS", "2"),
    ],
)
def test_the_reason_says_what_is_changed(reason: str, variable: str, value: str) -> None:
    changed = next_attempt([FIRST], reason)
    assert changed is not None and changed.variables[variable] == value


def test_less_work_is_a_shorter_stream() -> None:
    changed = next_attempt([FIRST], "killed: memory limit")
    assert changed is not None and changed.layout.tokens == LESS_STREAM < STREAM.tokens


@pytest.mark.parametrize("reason", ["IndexError: index 4 is out of range", "killed: wall-clock limit", "SyntaxError: invalid"])
def test_attempts_end_and_none_is_made_twice(reason: str) -> None:
    tried = [FIRST]
    while (found := next_attempt(tried, reason)) is not None:
        assert all((found.variables, found.layout) != (other.variables, other.layout) for other in tried)
        tried.append(found)
    assert 1 < len(tried) <= ATTEMPTS


def test_a_run_that_was_cut_short_is_made_anew_and_its_losses_stay_if_that_states_none() -> None:
    line = "final_int8_zlib_roundtrip_exact val_loss:{:.8f} val_bpb:1.90000000\n"
    later: list[trial.Ended] = []

    def run(*_: object) -> trial.Ended:
        return later.pop(0)

    def tried(*endings: trial.Ended) -> trial.Trial:
        later[:] = endings
        return trial.try_script("a.py", {"a.py": b""}, Probe.EVALUATION, run)

    cut = trial.Ended(137, line.format(math.log(1024)), "killed: wall-clock limit")
    whole = trial.Ended(0, line.format(6.5), "")
    assert tried(cut, whole).stated[0].loss == 6.5
    kept = tried(cut, trial.Ended(1, "", "ValueError: odd"), trial.Ended(1, "", "ValueError: odd"))
    assert kept.stated[0].loss == pytest.approx(math.log(1024), abs=1e-8) and kept.cut_short == "killed: wall-clock limit"
    leak = trial.Ended(137, line.format(5.0), "killed: wall-clock limit")
    evidence = tried(leak).evidence
    assert evidence is not None and evidence.convicts() and not later


@pytest.mark.parametrize(("probe", "runs"), [(Probe.TABLES, 2), (Probe.TRAINING, 1)])
def test_a_model_that_has_not_learnt_the_few_symbols_is_trained_anew_on_others(probe: Probe, runs: int) -> None:
    line = "final_int8_zlib_roundtrip_exact val_loss:{:.8f} val_bpb:0.80000000\n"
    few = on_stream(FIRST, colliding(STREAM, settable=True))
    losses = [math.log(few.layout.vocab), math.log(few.layout.alphabet) + 0.1]
    made: list[float] = []

    def run(*_: object) -> trial.Ended:
        made.append(losses[len(made)])
        return trial.Ended(0, line.format(made[-1]), "")

    found = trial.try_script("a.py", {"a.py": b""}, probe, run, few)
    assert len(made) == runs and found.stated[0].loss == pytest.approx(made[-1], abs=1e-8)


def test_the_budget_of_runs_is_of_processor_time_and_of_the_clock(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    limits: list[Limits] = []

    def took(job: Job, **_: object) -> Outcome:
        limits.append(job.limits)
        return Outcome(
            0, Ending.EXITED, b"", b"", {}, {}, (), {}, Mechanism.WEAK, (), (), (), wall_s=30.0, cpu_s=25.0, memory_peak=0
        )

    monkeypatch.setattr(contained.sandbox, "run", took)
    run = contained.Contained(60.0, 40.0)
    ended = [run(["/bin/true"], tmp_path, {}) for _ in range(4)]
    assert [given.cpu_s for given in limits] == [40.0, 35.0, 10.0]
    assert [given.wall_s for given in limits] == [80.0, 70.0, 20.0]
    assert ended[-1].status != 0 and "no time is left" in ended[-1].errors
