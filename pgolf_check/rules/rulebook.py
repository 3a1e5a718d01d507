"""The rulebook: one Markdown page per rule with TOML front matter, the only source of severities, witnesses, dates and authority.

A page is `rules/CODE.md`: front matter between two `+++` lines, then the headings of `HEADINGS`, each once and in that order.
A page that breaks this form is refused when the book is loaded, with every problem named.
"""

from __future__ import annotations

import datetime
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from pgolf_check.errors import UserError
from pgolf_check.model import Severity, Witness
from pgolf_check.resources import rulebook_dir

PROFILES = ("precedent", "strict")
HEADINGS = (
    "What it says",
    "Why",
    "What breaks it",
    "What looks like it and is legal",
    "How it is decided",
    "History",
)
PAGE_NAME = re.compile(r"[A-Z]\d{3}\.md")


@dataclass(frozen=True, slots=True)
class Authority:
    """Where a rule was written or ruled, and what is found there. `date`: of the ruling, or of the pull request where that is not known."""

    url: str
    date: datetime.date
    what: str


@dataclass(frozen=True, slots=True)
class RulePage:
    """One rule as a maintainer wrote it. `since` is the day from which the rule was applied."""

    code: str
    name: str
    severity: Mapping[str, Severity]
    witnesses: tuple[Witness, ...]
    since: datetime.date
    authority: tuple[Authority, ...]
    headings: Mapping[str, str]
    text: str
    """The Markdown below the front matter."""
    convicts: tuple[Witness, ...] = ()
    """Witnesses that can show a breach, but cannot decide that there is none."""


@dataclass(frozen=True, slots=True)
class Rulebook:
    """All pages, by code in alphabetical order."""

    rules: Mapping[str, RulePage]


@cache
def load_rulebook() -> Rulebook:
    """The rulebook that ships with the checker."""
    names = sorted(entry.name for entry in rulebook_dir().iterdir() if PAGE_NAME.fullmatch(entry.name))
    pages = [parse_page(name, (rulebook_dir() / name).read_text(encoding="utf-8")) for name in names]
    return Rulebook({page.code: page for page in pages})


def parse_page(name: str, content: str) -> RulePage:
    """A page from its file name and content; UserError names everything that is wrong with it."""
    matter, text = _split(name, content)
    headings = _headings(text)
    problems = [*_matter_problems(name, matter), *_heading_problems(headings)]
    if problems:
        raise UserError(f"rules/{name}: " + "; ".join(problems))
    return RulePage(
        code=matter["code"],
        name=matter["name"],
        severity={profile: Severity(matter["severity"][profile]) for profile in PROFILES},
        witnesses=tuple(Witness(w) for w in matter["witnesses"]),
        since=matter["from"],
        authority=tuple(Authority(a["url"], a["date"], a["what"]) for a in matter["authority"]),
        headings=dict(headings),
        text=text,
        convicts=tuple(Witness(w) for w in matter.get("convicts", ())),
    )


def _split(name: str, content: str) -> tuple[dict[str, Any], str]:
    parts = re.split(r"^\+\+\+\s*$", content, maxsplit=2, flags=re.MULTILINE)
    if len(parts) != 3 or parts[0].strip():
        raise UserError(f"rules/{name}: the page must begin with TOML front matter between two +++ lines")
    try:
        return tomllib.loads(parts[1]), parts[2].strip() + "\n"
    except tomllib.TOMLDecodeError as error:
        raise UserError(f"rules/{name}: the front matter is not TOML: {error}") from error


def _headings(text: str) -> list[tuple[str, str]]:
    parts = re.split(r"^## (.+)$", text, flags=re.MULTILINE)
    return [(title.strip(), body.strip()) for title, body in zip(parts[1::2], parts[2::2], strict=True)]


def _heading_problems(headings: list[tuple[str, str]]) -> list[str]:
    problems = []
    if tuple(title for title, _ in headings) != HEADINGS:
        problems.append("the second-level headings must be: " + ", ".join(HEADINGS))
    problems.extend(f"the section {title!r} is empty" for title, body in headings if not body)
    return problems


def _matter_problems(name: str, matter: Mapping[str, Any]) -> list[str]:
    problems = []
    if matter.get("code") != name.removesuffix(".md"):
        problems.append(f"code is {matter.get('code')!r}, expected the file's name")
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", str(matter.get("name", ""))):
        problems.append(f"name is {matter.get('name')!r}, expected lower-case words joined by hyphens")
    severities = matter.get("severity")
    for profile in PROFILES:
        value = severities.get(profile) if isinstance(severities, dict) else None
        if value not in set(Severity):
            problems.append(f"severity.{profile} is {value!r}, expected one of " + ", ".join(Severity))
    for key, fewest in (("witnesses", 1), ("convicts", 0)):
        given = {"convicts": [], **matter}.get(key)
        if not (isinstance(given, list) and len(given) >= fewest and set(given) <= set(Witness)):
            problems.append(f"{key} is {given!r}, expected a list of " + ", ".join(Witness))
    if type(matter.get("from")) is not datetime.date:
        problems.append(f"from is {matter.get('from')!r}, expected a date such as 2026-03-18")
    return problems + _authority_problems(matter.get("authority"))


def _authority_problems(authority: object) -> list[str]:
    if not (isinstance(authority, list) and authority):
        return ["at least one [[authority]] with url, date and what is needed"]
    return [
        f"authority {number} needs an https url, a date and what is found there"
        for number, entry in enumerate(authority, 1)
        if not str(entry.get("url", "")).startswith("https://")
        or type(entry.get("date")) is not datetime.date
        or not entry.get("what")
    ]
