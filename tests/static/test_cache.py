"""What the cache keeps is what was made, whatever happened to its files in between."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, reject
from hypothesis import strategies as st
from programs import programs
from submissions import submission

from pgolf_check.model import Certainty, Event, EventKind, Location, Region, Severity, Step
from pgolf_check.static import cache
from pgolf_check.static.cache import analysis_cached
from pgolf_check.static.encoding import FINDINGS, SOURCES
from pgolf_check.static.facts import StaticFacts, StaticRun
from pgolf_check.static.lower import CannotParse, lower
from pgolf_check.submission.model import Script, Submission

HERE = Location("a.py", 3, 5)
regions = st.builds(
    Region, st.sampled_from(["validation", "training"]), st.frozensets(st.tuples(st.integers(0, 9), st.integers(0, 2)))
)


def event(kind: EventKind, order: int, **more: object) -> Event:
    return Event(kind, order, HERE, **more)  # type: ignore[arg-type]


@st.composite
def found(draw: st.DrawFn) -> StaticFacts:
    update = event(EventKind.UPDATE, 1, regions=(draw(regions),), state=draw(st.text()), text="count", certainty=Certainty.LIKELY)
    score = event(EventKind.SCORE, 2, regions=(draw(regions),), seen=(update, update), through=(Step(HERE, draw(st.text())),))
    report = event(EventKind.REPORT, 3, scores=(score, score), best_of=(HERE,), text=draw(st.text()))
    return StaticFacts(
        (StaticRun("log", Severity.REVIEW, report, draw(st.booleans()), (report,), (score,), (), 7),), (Step(HERE, "x"),)
    )


@given(found())
def test_findings_are_read_back_as_they_were(facts: StaticFacts) -> None:
    back = FINDINGS.decode(FINDINGS.encode(facts))
    assert back == facts
    assert back.runs[0].ceiling is Severity.REVIEW and back.runs[0].scores[0].seen[0].kind is EventKind.UPDATE


@given(programs())
def test_sources_are_read_back_as_they_were(text: str) -> None:
    try:
        module = lower(text)
    except CannotParse:
        reject()
    assert SOURCES.decode(SOURCES.encode(module)) == module


def test_shared_events_are_written_once() -> None:
    """Without that, a chain in which each event names the one before twice would have 2 ** 200 records."""
    last = event(EventKind.UPDATE, 0)
    for order in range(1, 200):
        last = event(EventKind.UPDATE, order, seen=(last, last))
    facts = StaticFacts((StaticRun("log", Severity.BLOCK, None, False, (), (last,)),))
    assert FINDINGS.decode(FINDINGS.encode(facts)).runs[0].scores[0].order == 199


def test_the_analysis_is_made_once_for_each_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGOLF_CACHE_DIR", str(tmp_path))
    made: list[str] = []

    def analyse(judged: Submission) -> StaticFacts:
        made.append(judged.entry)
        return StaticFacts((), (Step(HERE, "told"),))

    other = submission(scripts={"train_gpt.py": Script("train_gpt.py", 9, "print(1)")})
    for judged in (submission(), submission(), other):
        assert analysis_cached(judged, analyse) == StaticFacts((), (Step(HERE, "told"),))
    assert len(made) == 2
    for entry in (tmp_path / "analysed").iterdir():
        entry.write_bytes(entry.read_bytes()[:-1] + b"?")
    assert analysis_cached(submission(), analyse).problems == (Step(HERE, "told"),)
    assert len(made) == 3


def test_the_oldest_entries_make_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGOLF_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(cache, "MAX_BYTES", 20_000)
    for number in range(200):
        cache.lower_cached(f"x = {number}\n" + "".join(f"y{n} = {n * number}\n" for n in range(40)))
    folder = tmp_path / "lowered"
    sizes = [path.stat().st_size for path in folder.iterdir()]
    looks = 16  # one entry in so many looks after the folder
    assert 0 < sum(sizes) <= 20_000 + 6 * looks * max(sizes)
    assert len(sizes) < 200
