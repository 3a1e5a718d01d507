"""Pages, modules and fixtures correspond one to one, and a malformed page is refused with all its problems."""

from __future__ import annotations

import pytest

from fixtures import cases
from pgolf_check.errors import UserError
from pgolf_check.model import Severity
from pgolf_check.rules.registry import all_rules
from pgolf_check.rules.rulebook import HEADINGS, PROFILES, load_rulebook, parse_page

CRASH_ONLY = {"X103"}
"""Rules that no submission can break: they have no fixtures."""


def test_pages_and_modules_correspond() -> None:
    pages = {page.code: page.name for page in load_rulebook().rules.values()}
    assert pages == {rule.code: rule.name for rule in all_rules().values()}


def test_every_rule_has_fixtures_on_both_sides() -> None:
    kinds: dict[str, set[str]] = {}
    for case in cases():
        kinds.setdefault(case.code, set()).add(case.kind)
    assert set(kinds) == set(load_rulebook().rules) - CRASH_ONLY
    assert {code for code, found in kinds.items() if not {"accept", "reject"} <= found} == set()


@pytest.mark.parametrize("page", load_rulebook().rules.values(), ids=lambda page: page.code)
def test_page_is_complete(page) -> None:  # type: ignore[no-untyped-def]
    assert tuple(page.headings) == HEADINGS
    assert set(page.severity) == set(PROFILES)
    assert page.authority
    assert page.since <= max(authority.date for authority in page.authority)


PAGE = """+++
code = "S999"
name = "a-rule"
severity = { precedent = "block", strict = "review" }
from = 2026-03-18
witnesses = ["paper"]
[[authority]]
url = "https://example.org/ruling"
date = 2026-03-18
what = "the ruling"
+++
""" + "".join(f"## {title}\n\ntext\n\n" for title in HEADINGS)


def test_a_page_is_read() -> None:
    page = parse_page("S999.md", PAGE)
    assert page.severity == {"precedent": Severity.BLOCK, "strict": Severity.REVIEW}
    assert page.headings["Why"] == "text"


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('"S999"', '"S998"', "code is"),
        ('"a-rule"', '"A rule"', "name is"),
        ('"block"', '"fatal"', "severity.precedent"),
        ("2026-03-18\nwitnesses", '"soon"\nwitnesses', "from is"),
        ('["paper"]', '["gossip"]', "witnesses is"),
        ("https://example.org/ruling", "somewhere", "authority 1"),
        ("## Why", "## Wherefore", "headings"),
        ("## Why\n\ntext", "## Why\n", "'Why' is empty"),
        ("+++\n## What it says", "## What it says", "front matter"),
        ("code = ", "code : ", "not TOML"),
    ],
)
def test_a_broken_page_is_refused(old: str, new: str, told: str) -> None:
    assert old in PAGE
    with pytest.raises(UserError, match="S999.md") as error:
        parse_page("S999.md", PAGE.replace(old, new, 1))
    assert told in str(error.value)


def test_all_problems_are_told_at_once() -> None:
    with pytest.raises(UserError) as error:
        parse_page("S999.md", PAGE.replace('"S999"', '"S998"').replace("## Why", "## Wherefore").replace('["paper"]', "[]"))
    assert all(part in str(error.value) for part in ("code is", "headings", "witnesses is"))
