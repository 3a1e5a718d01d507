"""Reports whose every word from a submission is hostile: control characters, markup, commands of build logs, other scripts' text."""

from __future__ import annotations

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from pgolf_check.model import (
    Answer,
    Certainty,
    Finding,
    JudgedFinding,
    Location,
    Report,
    Severity,
    Status,
    Step,
    Verdict,
    Witness,
)
from pgolf_check.report.outcome import Outcome

patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""For properties over whole reports, which are slow to make on a busy machine."""

ATTACKS = (
    "\n", "\r", "\r\n", "\x1b[31m", "\x9b2J", "\x00", "\u202e", "\u2028", "\u0085", "\udcff", "\t", " ", "::error file=a::x",
    "\n::add-mask::x", "##[error]x", "##[", "::", "%0A::error::x", "%25", "%", ",", "<script>alert(1)</script>", "<b>", "&lt;", "&",
    "\"'>", "<img src=x onerror=y>", "[a](javascript:b)", "![a](http://b)", "http://a.b", "www.a.b", "@someone", "#1", "a/b#2", "GH-3",
    "`", "``", "```", "*a*", "_a_", "~~a~~", "|", "\\", "- a", "1. a", "# a", "> a", "-->", "<!--", "{{ x }}", "{% x %}", "{0}", "$x$",
    "</code>", "]", "[", "(", ")", "x@y.z",
)  # fmt: skip

words = st.lists(st.one_of(st.sampled_from(ATTACKS), st.text(max_size=8)), max_size=8).map("".join)
paths = words.filter(lambda text: "\0" not in text and "/" not in text and text not in (".", ".."))
places = st.builds(
    Location, st.sampled_from(["train_gpt.py", "wrapped.py", "train_gpt.py:part"]) | paths, st.integers(0, 3), st.integers(0, 9)
)
findings = st.builds(
    Finding,
    st.sampled_from(["C301", "P104", "S101"]),
    st.sampled_from(Witness),
    st.sampled_from(Certainty),
    words,
    st.lists(places, max_size=3).map(tuple),
    st.lists(st.builds(Step, places, words), max_size=3).map(tuple),
)
judged = st.builds(JudgedFinding, findings, st.just("a-rule"), st.sampled_from(Severity), st.just("") | words)
answers = st.builds(Answer, st.sampled_from(["S101", "T101"]), st.sampled_from(Status), reason=words)


@st.composite
def reports(draw: st.DrawFn) -> Report:
    folder = "records/track/" + (draw(paths) or "x")
    return Report(
        path=folder,
        verdict=draw(st.sampled_from(Verdict)),
        witnesses=(Witness.PAPER, Witness.STATIC),
        findings=tuple(draw(st.lists(judged, max_size=3))),
        answers=tuple(draw(st.lists(answers, max_size=2))),
        edition="edition",
        profile="precedent",
        sources={
            name: "\n".join(draw(st.lists(words, max_size=3))) for name in ("train_gpt.py", "wrapped.py", "train_gpt.py:part")
        },
        folder=folder,
        decoded={"wrapped.py": "wrapped.py", "train_gpt.py:part": "train_gpt.py"},
    )


outcomes = st.builds(
    Outcome,
    st.lists(reports(), max_size=2).map(tuple),
    st.lists(words, max_size=1).map(tuple),
    st.lists(words, max_size=1).map(tuple),
)


def finding(rule: str = "C301", message: str = "told", *places: Location, severity: Severity = Severity.BLOCK) -> JudgedFinding:
    """A plain finding of the static witness."""
    return JudgedFinding(Finding(rule, Witness.STATIC, Certainty.PROVEN, message, places), "a-rule", severity)


def report(*findings: JudgedFinding, folder: str = "records/track/mine", verdict: Verdict = Verdict.ILLEGAL) -> Report:
    """A report of the static witness with these findings."""
    return Report(folder, verdict, (Witness.STATIC,), findings, (), "edition", "precedent", {"a.py": "x = 1\ny = 2\n"}, folder)
