"""Scripts that no one would write: whatever the source holds, the static witness answers and does not crash.

PGOLF_FUZZ sets the number of examples of each test (default 60).
"""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fixtures import ROOT
from pgolf_check.audit import audit
from pgolf_check.model import Report, Witness
from pgolf_check.static import machine

EXAMPLES = settings(
    max_examples=int(os.environ.get("PGOLF_FUZZ", "60")),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
STEPS = 30_000
"""Enough for the scripts of the fixtures as they are; a mutation that makes an endless program ends there."""
TOKEN = re.compile(r"\w+|[ \t]+|\n|[^\w\s]")
SCRIPTS = [TOKEN.findall(path.read_text(encoding="utf-8")) for path in sorted(ROOT.rglob("*.py"))]
WORDS = sorted({token for script in SCRIPTS for token in script})
CHANGES = ("drop", "double", "swap", "replace", "insert")


@st.composite
def mutants(draw: st.DrawFn) -> str:
    """A script of the fixtures with up to eight of its tokens changed."""
    tokens = list(draw(st.sampled_from(SCRIPTS)))
    for _ in range(draw(st.integers(1, 8))):
        place = draw(st.integers(0, max(len(tokens) - 1, 0)))
        change, word = draw(st.sampled_from(CHANGES)), draw(st.sampled_from(WORDS))
        part = tokens[place : place + 1]
        other = tokens[place + 1 : place + 2]
        new = {"drop": [], "double": part + part, "swap": other + part, "replace": [word], "insert": [word, *part]}[change]
        tokens[place : place + (2 if change == "swap" else 1)] = new
    return "".join(tokens)


def judged(source: bytes) -> Report:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "README.md").write_text("# A submission of its own\n", encoding="utf-8")
        script = Path(folder, "train_gpt.py")
        script.write_bytes(source)
        return audit(str(script), witnesses={Witness.STATIC})


def crashes(report: Report) -> list[str]:
    return [judged.finding.message for judged in report.findings if judged.finding.rule == "X103"]


@pytest.fixture
def few_steps(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(machine, "MAX_STEPS", STEPS)
    monkeypatch.setenv("PGOLF_CACHE_DIR", str(tmp_path))


@EXAMPLES
@given(mutants())
def test_mutants_of_scripts_are_judged_without_a_crash(few_steps: None, source: str) -> None:
    assert crashes(judged(source.encode("utf-8"))) == []


@EXAMPLES
@given(st.binary(max_size=400) | st.text(max_size=400).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_arbitrary_bytes_are_judged_without_a_crash(few_steps: None, source: bytes) -> None:
    assert crashes(judged(source)) == []


@pytest.mark.parametrize("script", range(len(SCRIPTS)))
def test_the_scripts_themselves_are_followed_to_their_end(few_steps: None, script: int) -> None:
    """Otherwise the tests above would try only how sources are refused."""
    report = judged("".join(SCRIPTS[script]).encode("utf-8"))
    assert not any("more steps" in judged.finding.message for judged in report.findings)
