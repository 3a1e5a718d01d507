"""Rules that values of one section keep, each told as one sentence; a section lists its rules in `problems`."""

from collections.abc import Callable, Collection, Iterable
from typing import Any

RANGES: dict[str, Callable[[Any], bool]] = {
    "positive": lambda value: value > 0,
    "0 or more": lambda value: value >= 0,
    "in [0, 1)": lambda value: 0 <= value < 1,
    "in [0, 1]": lambda value: 0 <= value <= 1,
    "from 2 to 8": lambda value: 2 <= value <= 8,
}


def ranges(prefix: str, section: Any, wanted: dict[str, Iterable[str]]) -> list[str]:
    """The values out of range; `wanted` maps a key of RANGES to names of numbers or of tuples of numbers."""
    return [
        f"{prefix}.{name} must be {what}"
        for what, names in wanted.items()
        for name in names
        if not all(map(RANGES[what], _values(getattr(section, name))))
    ]


def choices(prefix: str, section: Any, wanted: dict[str, Collection[str]]) -> list[str]:
    """The names that are none of those allowed; `wanted` maps a name or tuple of names to what is allowed."""
    return [
        f"{prefix}.{name} must be one of " + ", ".join(allowed)
        for name, allowed in wanted.items()
        if not set(_values(getattr(section, name))) <= set(allowed)
    ]


def broken(rules: Iterable[tuple[str, bool]]) -> list[str]:
    """Messages of the rules that do not hold; a rule is (what must hold, whether it does)."""
    return [message for message, holds in rules if not holds]


def _values(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else (value,)
