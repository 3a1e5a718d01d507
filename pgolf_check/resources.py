"""Where the rulebook lies: in the wheel inside the package, in a checkout beside it."""

from __future__ import annotations

from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path


def rulebook_dir() -> Traversable:
    """The folder with the rule pages, the edition, the leaderboard and the schemas."""
    packaged = files("pgolf_check") / "rulebook"
    return packaged if packaged.is_dir() else Path(__file__).resolve().parent.parent / "rules"
