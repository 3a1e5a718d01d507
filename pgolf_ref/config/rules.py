"""Values that differ between parameters, as rules: ROLE=VALUE or BLOCKS.ROLE=VALUE, such as mlp=5 or 0,9.key=16.

A role is one of the registry's, or a family of several. The last rule that fits a parameter holds.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

ROLES = ("embedding", "table", "head", "query", "key", "value", "out", "up", "down", "projection", "gate")
"""Of the parameters that are matrices; the others have the role "vector"."""
FAMILIES = {
    "attention": ("query", "key", "value", "out"),
    "mlp": ("up", "down"),
    "matrix": ("query", "key", "value", "out", "up", "down", "projection"),
}
"""Names for several roles of the registry at once."""
MATRICES = (*FAMILIES, *ROLES)
EVERYTHING = ("all", *MATRICES, "vector")
_MEANING = {**FAMILIES, "all": (*ROLES, "vector")}
_RULE = re.compile(r"(?:(\d+(?:,\d+)*)\.)?(\w+)=([\w.]+)")


@dataclass(frozen=True, slots=True)
class Rule:
    """A value, as text, for some roles, in some blocks or (none named) everywhere."""

    name: str
    layers: tuple[int, ...]
    value: str

    @property
    def roles(self) -> tuple[str, ...]:
        return _MEANING.get(self.name, (self.name,))

    def fits(self, role: str, layer: int | None) -> bool:
        return role in self.roles and (not self.layers or layer in self.layers)


@lru_cache(maxsize=1024)
def parsed(text: str) -> Rule | None:
    """None where the text is no rule."""
    match = _RULE.fullmatch(text.replace(" ", ""))
    if match is None or match[2] not in EVERYTHING:
        return None
    return Rule(match[2], tuple(int(layer) for layer in match[1].split(",")) if match[1] else (), match[3])


def rules(texts: Sequence[str]) -> tuple[Rule, ...]:
    """Of a valid section."""
    return tuple(rule for text in texts if (rule := parsed(text)) is not None)


def ruled(texts: Sequence[str], role: str, layer: int | None, default: str) -> str:
    """The value of the last rule that fits."""
    fitting = [rule.value for rule in rules(texts) if rule.fits(role, layer)]
    return fitting[-1] if fitting else default


def unreadable(
    field: str, texts: Sequence[str], example: str, values: str, allowed: Callable[[str], bool], names: Sequence[str] = MATRICES
) -> list[str]:
    """What is wrong with the rules of a field: each has one of these names and an allowed value."""
    return [
        f"{field}: {text!r} must read ROLE=VALUE or BLOCKS.ROLE=VALUE, such as {example}, with a role of {', '.join(names)} "
        f"and a value of {values}"
        for text in texts
        if (rule := parsed(text)) is None or rule.name not in names or not allowed(rule.value)
    ]


def is_number(text: str) -> bool:
    """Whether it is a number of 0 or more, without exponent."""
    return re.fullmatch(r"\d+(\.\d+)?", text) is not None
