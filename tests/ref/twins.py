"""Illegal twins of a bundle: small edits of its readable text, each of which breaks one rule."""

import re
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

from runs import brisk

from pgolf_ref.bundle.program import readable

TWINS = tomllib.loads(Path(__file__).with_name("bundle_twins.toml").read_text(encoding="utf-8"))["twin"]
Twin = dict[str, Any]


def script_of(twin: Twin, *overrides: str) -> str:
    """The legal bundle that a twin is made of; the more symbols there are, the more there is to learn from a short stream."""
    return _script(*twin.get("overrides", ()), *overrides)


@cache
def _script(*overrides: str) -> str:
    """Nearly all twins are of one script."""
    return readable(brisk("model.vocab_size=1024", *overrides))


def edited(script: str, edits: list[dict[str, str]]) -> str:
    """The text of a twin; each edit must fit in one place."""
    for edit in edits:
        script, count = re.subn(edit["find"], lambda _, put=edit["put"]: put, script, flags=re.MULTILINE)
        assert count == 1, f"{edit['find']} fits in {count} places"
    return script


def write(twin: Twin, script: str, folder: Path) -> None:
    """The folder of a twin: its script, and what its README tells."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "train_gpt.py").write_text(script, encoding="utf-8")
    (folder / "README.md").write_text(twin["told"], encoding="utf-8")
