"""Findings as one HTML page that loads nothing: no script, no image, no font, and a policy that forbids them."""

from __future__ import annotations

from importlib.resources import files

from jinja2 import Environment, StrictUndefined

from pgolf_check.model import Location, Report, Status
from pgolf_check.places import told
from pgolf_check.report.escape import printable
from pgolf_check.report.outcome import Outcome

FRAME = 200
"""Characters of a source line that a frame shows."""


def as_html(outcome: Outcome) -> str:
    """The page; every value is made printable, then escaped."""
    environment = Environment(autoescape=True, undefined=StrictUndefined, finalize=_harmless, trim_blocks=True, lstrip_blocks=True)
    source = (files("pgolf_check.report") / "page.html.j2").read_text(encoding="utf-8")
    return environment.from_string(source).render(outcome=outcome, told=told, frame=_frame, undecided=Status.NOT_ANALYSED) + "\n"


def _harmless(value: object) -> object:
    return printable(value) if isinstance(value, str) else value


def _frame(place: Location, report: Report) -> str:
    lines = report.sources.get(place.path, "").split("\n")
    return lines[place.line - 1].strip()[:FRAME] if 0 < place.line <= len(lines) else ""
