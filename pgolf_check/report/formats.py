"""The formats of a report by name: those that tell one submission after the other, and those that put all into one document."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import cast

from pgolf_check.model import Report
from pgolf_check.report.outcome import Outcome

ONE_BY_ONE = {"text": "text:as_text", "json": "document:as_json", "jsonl": "document:as_json_line"}
TOGETHER = {"sarif": "sarif:as_sarif", "markdown": "markdown:as_markdown", "html": "html:as_html", "github": "github:as_github"}
NAMES = (*ONE_BY_ONE, *TOGETHER)


def one_by_one(form: str) -> Callable[[Report], str] | None:
    """What renders one report, or None if the format is one document for all."""
    return cast(Callable[[Report], str], _function(ONE_BY_ONE[form])) if form in ONE_BY_ONE else None


def together(form: str) -> Callable[[Outcome], str]:
    """What renders everything that a command found."""
    return cast(Callable[[Outcome], str], _function(TOGETHER[form]))


def rendered(form: str, outcome: Outcome) -> str:
    """Everything that a command found, in any format."""
    each = one_by_one(form)
    return together(form)(outcome) if each is None else "".join(each(report) for report in outcome.reports)


def _function(address: str) -> object:
    module, name = address.split(":")
    return getattr(importlib.import_module(f"pgolf_check.report.{module}"), name)
