"""The list of recipes, with what is known of each before it runs."""

import json
from dataclasses import asdict
from typing import Any

from pgolf_ref.config import read_recipe, recipe_names
from pgolf_ref.forecast import forecast


def listed() -> list[dict[str, Any]]:
    """One table per recipe."""
    recipes = [read_recipe(name) for name in recipe_names()]
    return [
        {
            "name": recipe.name,
            **asdict(forecast(recipe.config)),
            "source": recipe.source,
            "published": recipe.published,
            "assumed": list(recipe.assumed),
        }
        for recipe in recipes
    ]


def as_json() -> str:
    return json.dumps(listed(), indent=2)


def as_text() -> str:
    """One line per recipe; an asterisk marks those with assumptions."""
    rows = [
        (
            row["name"] + ("*" if row["assumed"] else ""),
            f"{row['parameters']:,}",
            f"{row['artifact_bytes']:,}",
            row["published"] or "-",
            row["source"] or "-",
        )
        for row in listed()
    ]
    table = [("recipe", "parameters", "artifact, bytes", "published", "source"), *rows]
    widths = [max(len(row[column]) for row in table) for column in range(5)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in table]
    return "\n".join([*lines, "* with assumptions: see --format json; runs with --accept-assumptions"])
