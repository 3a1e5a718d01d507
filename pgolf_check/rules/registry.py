"""The rules as code: every module of this package named like `s101_artifact_over_cap` is found by its name and runs by its code.

A rule module defines `CODE` and `check(facts) -> Answer`, and nothing registers it: its file is the registration.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import pgolf_check.rules
from pgolf_check.model import Answer
from pgolf_check.rules.facts import Facts

MODULE_NAME = re.compile(r"([a-z]\d{3})_([a-z0-9_]+)")


@dataclass(frozen=True, slots=True)
class RuleModule:
    """The code of one rule; `name` is the part of the module's name after the code, with hyphens."""

    code: str
    name: str
    check: Callable[[Facts], Answer]


@cache
def all_rules() -> dict[str, RuleModule]:
    """Every rule module, sorted by code."""
    found: dict[str, RuleModule] = {}
    for info in pkgutil.iter_modules(pgolf_check.rules.__path__):
        match = MODULE_NAME.fullmatch(info.name)
        if match is None:
            continue
        module = importlib.import_module(f"pgolf_check.rules.{info.name}")
        if match[1].upper() != module.CODE or module.CODE in found:
            raise ImportError(f"pgolf_check/rules/{info.name}.py: CODE is {module.CODE!r}, expected {match[1].upper()!r}, once")
        found[module.CODE] = RuleModule(module.CODE, match[2].replace("_", "-"), module.check)
    return dict(sorted(found.items()))
