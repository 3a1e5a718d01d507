"""Every path gets one answer, whatever becomes of the process that judges it."""

from __future__ import annotations

import multiprocessing
import shutil
from pathlib import Path

import pytest
from workers import play, small

from fixtures import BASE
from pgolf_check.audit import audit
from pgolf_check.corpus import pool
from pgolf_check.corpus.pool import judge_all
from pgolf_check.corpus.worker import Options, Refused
from pgolf_check.model import Report, Witness
from pgolf_check.static import cache


def answers(paths: list[str], options: Options | None = None, **more: float) -> dict[str, str]:
    """The sentence for each path; asserts that there is one."""
    found: dict[str, str] = {}
    for answered in judge_all(paths, options or Options(), target=play, **more):  # type: ignore[arg-type]
        assert answered.path not in found and isinstance(answered.result, Refused)
        found[answered.path] = answered.result.message
    return found


@pytest.mark.parametrize("jobs", [1, 2, 7])
def test_every_path_has_one_answer(jobs: int) -> None:
    paths = [f"{number}" for number in range(20)]
    assert answers([*paths, *paths[:3]], jobs=jobs) == {path: f"{path}: judged" for path in paths}


def test_a_worker_that_dies_is_replaced_and_its_path_judged_without_its_source() -> None:
    found = answers(["a", "die 1", "b", "die 2", "c"], jobs=2)
    assert [found[path] for path in "abc"] == ["a: judged", "b: judged", "c: judged"]
    assert found["die 1"] == "die 1: the process that read the source ended with signal SIGSEGV"
    assert set(found) == {"a", "b", "c", "die 1", "die 2"}


@pytest.mark.parametrize("path", ["sleep", "work"])
def test_a_path_that_takes_too_long_is_judged_without_its_source(path: str) -> None:
    assert answers([path, "a"], time_limit=1.0) == {path: f"{path}: the analysis took longer than 1 s", "a": "a: judged"}


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="this system does not tell how long a process has worked")
def test_waiting_for_the_processor_does_not_count() -> None:
    assert answers(["nap", "a"], time_limit=1.0) == {"nap": "nap: judged", "a": "a: judged"}


def test_a_path_that_always_kills_its_worker_is_refused() -> None:
    assert answers(["gone", "a"]) == {"gone": "gone: the process that read the source ended with signal SIGSEGV", "a": "a: judged"}


def test_without_the_static_witness_a_death_is_final() -> None:
    found = answers(["die", "a"], Options(witnesses=frozenset({Witness.PAPER})))
    assert found == {"die": "die: the process that read the source ended with signal SIGSEGV", "a": "a: judged"}


def test_old_workers_are_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "AGE", 2)
    paths = [f"{number}" for number in range(7)]
    assert set(answers(paths, jobs=2)) == set(paths)


def test_closing_the_answers_ends_the_workers() -> None:
    running = judge_all(["a", "sleep", "b"], Options(), jobs=2, target=play)
    next(running)
    running.close()  # type: ignore[attr-defined]
    assert multiprocessing.active_children() == []


@pytest.mark.parametrize(
    ("stopped", "crashed", "rule"), [("it took too long", "", "X102"), ("", "it ended with signal 11", "X103")]
)
def test_a_report_tells_why_the_source_was_not_analysed(stopped: str, crashed: str, rule: str) -> None:

    options = Options(stopped=stopped, crashed=crashed)
    report = next(judge_all([str(BASE)], options)).result
    assert isinstance(report, Report) and report.verdict == "incomplete"
    told = [judged.finding.message for judged in report.findings if judged.finding.rule == rule]
    assert any((stopped or crashed) in message for message in told)


def test_a_run_that_ends_the_memory_is_no_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    def exhaust(submission: object, analyse: object) -> None:
        raise MemoryError

    monkeypatch.setattr(cache, "analysis_cached", exhaust)
    report = audit(str(BASE))
    told = {judged.finding.rule: judged.finding.message for judged in report.findings}
    assert "more memory than it is given" in told["X102"] and "X103" not in told


def test_a_source_that_needs_too_much_memory_is_told(tmp_path: Path) -> None:
    folder = tmp_path / "submission"
    shutil.copytree(BASE, folder)
    (folder / "train_gpt.py").write_text("".join(f"x{n} = [{n}, 'a{n}', x{n - 1} + 1, f(y)]\n" for n in range(1, 60_000)))
    found = {answered.path: answered.result for answered in judge_all([str(folder), str(BASE)], Options(), target=small)}
    judged = found[str(folder)]
    assert isinstance(judged, Report) and judged.verdict == "ineligible"
    told = " ".join(finding.finding.message for finding in judged.findings)
    assert "more memory than it is given" in told or "the process that read the source ended with" in told
    assert isinstance(found[str(BASE)], Report)
