"""A recipe is a TOML file that sets some values of the configuration.

Beside the tables it may state:
    extends = "naive"      the recipe whose values it starts from
    source = "PR 1493"     what it reproduces
    published = "1.0810"   the result told there
    assumed = ["..."]      choices of our own where the source leaves something open
"""

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from pgolf_ref.config.root import Config
from pgolf_ref.config.tables import from_dict
from pgolf_ref.config.unspecified import refuse_unspecified
from pgolf_ref.errors import UserError

Tables = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Recipe:
    """A configuration with where it comes from."""

    name: str
    config: Config
    source: str = ""
    published: str = ""
    assumed: tuple[str, ...] = ()


def load_recipe(name_or_path: str, overrides: Sequence[str] = ()) -> Config:
    """The recipe shipped under this name, or the TOML file at this path, with overrides such as `optim.matrix_lr=0.03`."""
    return read_recipe(name_or_path, overrides).config


def read_recipe(name_or_path: str, overrides: Sequence[str] = ()) -> Recipe:
    """The same, with its source and assumptions."""
    tables = _inherited(name_or_path, ())
    source, published = str(tables.pop("source", "")), str(tables.pop("published", ""))
    assumed = tuple(tables.pop("assumed", ()))
    problems = [problem for override in overrides if (problem := _override(tables, override))]
    return Recipe(Path(name_or_path).stem, from_dict(tables, problems), source, published, assumed)


def recipe_names() -> tuple[str, ...]:
    """Names of the shipped recipes, sorted."""
    folder = resources.files("pgolf_ref") / "recipes"
    return tuple(sorted(item.name.removesuffix(".toml") for item in folder.iterdir() if item.name.endswith(".toml")))


def _inherited(name_or_path: str, children: tuple[str, ...]) -> Tables:
    """The tables of a recipe over those of the recipes it extends; assumptions add up, a source is its own."""
    if name_or_path in children:
        raise UserError(f"recipe {children[0]} extends itself: {' -> '.join((*children, name_or_path))}")
    own = _read(name_or_path)
    parent = own.pop("extends", None)
    if parent is None:
        return own
    tables = _inherited(str(parent), (*children, name_or_path))
    assumed = [*tables.pop("assumed", ()), *own.pop("assumed", ())]
    for about_the_parent in ("source", "published"):
        tables.pop(about_the_parent, None)
    return _merged(tables, own) | ({"assumed": assumed} if assumed else {})


def _merged(below: Tables, above: Tables) -> Tables:
    """Nested tables merge, any other value of `above` wins."""
    merged = dict(below)
    for name, value in above.items():
        known = merged.get(name)
        merged[name] = _merged(known, value) if isinstance(known, dict) and isinstance(value, dict) else value
    return merged


def _read(name_or_path: str) -> Tables:
    if name_or_path in recipe_names():
        source = resources.files("pgolf_ref") / "recipes" / f"{name_or_path}.toml"
    elif name_or_path.endswith(".toml") and Path(name_or_path).is_file():
        source = Path(name_or_path)
    else:
        refuse_unspecified(name_or_path)
        raise UserError(f"no recipe {name_or_path!r}: give one of {', '.join(recipe_names())} or the path of a .toml file")
    try:
        return tomllib.loads(source.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"recipe {name_or_path} is not valid TOML: {error}") from error


def _override(tables: Tables, override: str) -> str:
    """Set `table.name=value` in place; what is wrong with it, or nothing."""
    key, equals, text = override.partition("=")
    *path, name = key.strip().split(".")
    if not (equals and path and name):
        return f"override {override!r} must read table.name=value, such as run.steps=100"
    for step in path:
        if not isinstance(tables.get(step), dict):
            tables[step] = {}
        tables = tables[step]
    tables[name] = _literal(text.strip())
    return ""


def _literal(text: str) -> Any:
    """A TOML value, or the text itself where it is none (so that strings need no quotes in a shell)."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
