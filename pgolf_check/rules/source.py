"""The lowered source of a script, for rules that read source text without an abstract run."""

from __future__ import annotations

from pgolf_check.static import ir


def lowered(text: str) -> ir.Module | None:
    """The compact form of a source; None where it does not parse (P103)."""
    from pgolf_check.static.cache import lower_cached
    from pgolf_check.static.lower import CannotParse

    try:
        return lower_cached(text)
    except CannotParse:
        return None
