"""Whatever a submission says, a report in any format is only read: no command, escape, markup or link comes from it."""

from __future__ import annotations

import json
import re
import unicodedata
from html.parser import HTMLParser

import pytest
from hostile import outcomes, patient, reports, words
from hypothesis import given, settings
from markdown_it import MarkdownIt
from report.runner import commands

from pgolf_check.model import Report, Severity
from pgolf_check.report.document import as_json, as_json_line, document
from pgolf_check.report.escape import printable, safe_json
from pgolf_check.report.formats import TOGETHER, together
from pgolf_check.report.github import as_github
from pgolf_check.report.html import as_html
from pgolf_check.report.markdown import as_markdown, code, plain
from pgolf_check.report.outcome import Outcome
from pgolf_check.report.text import as_text

OURS = re.compile(r"\x1b\[(?:0|1|2|3[1-6])m")
"""The colours that the text report uses."""


def harmless(text: str) -> bool:
    """Whether a terminal only shows it: no control but the line feed, no change of direction, nothing that cannot be encoded."""
    text.encode()
    return not any(
        (c != "\n" and unicodedata.category(c) in ("Cc", "Zl", "Zp")) or unicodedata.bidirectional(c) in TURNING for c in text
    )


TURNING = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
"""What turns the direction of the text that follows."""


@given(words)
@patient
def test_printable_text_is_one_harmless_line(text: str) -> None:
    shown = printable(text)
    assert harmless(shown) and "\n" not in shown
    assert commands(shown) == [] and commands("x " + shown) == []


def test_printable_keeps_plain_text() -> None:
    assert printable("späße: 12 % of [x] <y> a::b # c") == "späße: 12 % of [x] <y> a::b # c"


@given(words)
@patient
def test_safe_json_has_the_same_value(text: str) -> None:
    shown = safe_json(json.dumps({text: [text]}, ensure_ascii=False))
    assert json.loads(shown) == {text: [text]}
    assert harmless(shown)


@given(reports())
@patient
def test_text_sends_only_its_own_colours(report: Report) -> None:
    assert harmless(OURS.sub("", as_text(report)))
    assert commands(as_text(report)) == []


@given(reports())
@patient
def test_json_is_the_document(report: Report) -> None:
    for shown in (as_json(report), as_json_line(report)):
        assert json.loads(shown) == document(report)
        assert harmless(shown) and not commands(shown)
    assert as_json_line(report).count("\n") == 1


@given(outcomes)
@settings(patient, max_examples=50)
def test_every_format_is_harmless_and_the_same_each_time(outcome: Outcome) -> None:
    for form in TOGETHER:
        shown = together(form)(outcome)
        assert harmless(shown), form
        assert form == "github" or not commands(shown), form
        assert shown == together(form)(outcome)


@given(outcomes)
@patient
def test_github_commands_are_ours_alone(outcome: Outcome) -> None:
    names = {Severity.BLOCK: "error", Severity.REVIEW: "warning", Severity.NOTE: "notice"}
    shown = as_github(outcome)
    found = commands(shown)
    told = {(names[judged.severity], printable(judged.finding.message)) for _, judged in outcome.findings()}
    told |= {("error", printable(text)) for text in outcome.refused} | {("warning", printable(text)) for text in outcome.remarks}
    told |= {("warning", printable(f"{report.path}: {answer.reason}")) for report, answer in outcome.undecided()}
    assert {(command.name, command.message.split("\n")[0]) for command in found} == told
    assert len(found) == shown.count("\n") - 1
    assert all(set(command.properties) <= {"file", "line", "endLine", "col", "title"} for command in found)
    assert {command.properties["file"] for command in found if "file" in command.properties} <= {
        printable(path) for report in outcome.reports for path in _paths(report)
    }


def _paths(report: Report) -> set[str]:
    from pgolf_check.places import finding_paths

    return {path for judged in report.findings for path in finding_paths(judged.finding, report.folder, report.decoded)}


class Tags(HTMLParser):
    """The tags, attributes and text of a page; comments and declarations are told as tags."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[tuple[str, str]] = set()
        self.text = ""
        self.spans: list[str] = []
        self._depth = 0
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {(name, value or "") for name, value in attrs}
        self._depth += tag == "code"

    def handle_endtag(self, tag: str) -> None:
        self._depth -= tag == "code"

    def handle_data(self, data: str) -> None:
        if self._depth:
            self.spans.append(data)
        else:
            self.text += data

    def handle_comment(self, data: str) -> None:
        self.tags.add(f"!{data}")

    def handle_pi(self, data: str) -> None:
        self.tags.add(f"?{data}")


@pytest.fixture(scope="module")
def skeleton() -> Tags:
    """The page without a submission."""
    return Tags(as_html(Outcome(())))


@given(outcomes)
@patient
def test_html_has_only_the_tags_of_the_template(skeleton: Tags, outcome: Outcome) -> None:
    page = Tags(as_html(outcome))
    body = {
        "p",
        "strong",
        "section",
        "h2",
        "h3",
        "article",
        "ol",
        "li",
        "code",
        "pre",
        "details",
        "summary",
        "table",
        "tr",
        "th",
        "td",
    }
    assert page.tags - skeleton.tags <= body
    assert page.attributes - skeleton.attributes <= {("class", severity.value) for severity in Severity}
    assert all(printable(judged.finding.message) in page.text for _, judged in outcome.findings())


def rendered(text: str) -> Tags:
    return Tags(MarkdownIt("commonmark").enable(["table", "strikethrough"]).render(text))


@given(outcomes)
@patient
def test_markdown_has_no_markup_but_ours(outcome: Outcome) -> None:
    page = rendered(as_markdown(outcome))
    assert page.tags <= {"! pgolf-check ", "h2", "h3", "p", "ul", "li", "ol", "strong", "code"}
    assert page.attributes == set()


@given(words)
@patient
def test_markdown_text_reads_as_written(text: str) -> None:
    page = rendered("- **x**: " + plain(text))
    assert page.tags == {"ul", "li", "strong"}
    assert page.text.replace("\u200b", "").split() == ("x: " + printable(text)).split()
    assert not re.search(r"[@#]\w|gh-\d|://|www\.", page.text, re.IGNORECASE)


@given(words)
@patient
def test_a_code_span_reads_as_written(text: str) -> None:
    page = rendered("- x " + code(text))
    assert page.tags == {"ul", "li", "code"}
    assert "".join(page.spans) == (printable(text) or ".")
