"""The rulebook for a terminal: one page, or the table of all rules."""

from __future__ import annotations

from pgolf_check.rules.rulebook import PROFILES, Rulebook, RulePage


def page_text(page: RulePage) -> str:
    """A rule's page, its front matter told in words."""
    severities = ", ".join(f"{page.severity[profile]} under {profile}" for profile in PROFILES)
    head = f"{page.code} {page.name}\n{severities}; since {page.since}; decided by: {_witnesses(page)}\n"
    sources = "".join(f"- {a.date} {a.what}\n  {a.url}\n" for a in page.authority)
    return f"{head}\n{page.text.strip()}\n\n## Authority\n\n{sources}"


def rules_table(book: Rulebook) -> str:
    """One line per rule."""
    width = max(len(page.name) for page in book.rules.values())
    lines = [f"{'code':<5} {'name':<{width}} " + " ".join(f"{profile:<10}" for profile in PROFILES) + " witnesses"]
    for page in book.rules.values():
        severities = " ".join(f"{page.severity[profile].value:<10}" for profile in PROFILES)
        lines.append(f"{page.code:<5} {page.name:<{width}} {severities} {_witnesses(page)}")
    return "\n".join(lines) + "\n"


def _witnesses(page: RulePage) -> str:
    """Those that decide, then those that can only convict."""
    return ", ".join((*page.witnesses, *(f"{witness} (a breach alone)" for witness in page.convicts)))
