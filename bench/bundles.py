"""Writes bench/bundles.md: the bytes of the script of every recipe.

python -m bench.bundles
"""

from __future__ import annotations

from pathlib import Path

from pgolf_ref.bundle.program import bundle, readable
from pgolf_ref.config import load_recipe, recipe_names
from pgolf_ref.script import encoded

PAGE = Path(__file__).resolve().with_name("bundles.md")
HEAD = """\
# Bundles

Bytes of the one script that `pgolf-train bundle` makes of each recipe: in full words, as it is shipped, and with `--packed`. Made by
`python -m bench.bundles`.

| recipe | in full words | shipped | packed |
| --- | --- | --- | --- |
"""


def row(name: str) -> str:
    config = load_recipe(name)
    texts = (readable(config), bundle(config), bundle(config, pack=True))
    return f"| {name} | " + " | ".join(f"{len(encoded(text)):,}" for text in texts) + " |"


def main() -> None:
    PAGE.write_text(HEAD + "".join(f"{row(name)}\n" for name in recipe_names()), encoding="utf-8")
    print(PAGE)


if __name__ == "__main__":
    main()
