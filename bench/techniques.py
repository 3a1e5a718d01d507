"""Writes bench/TECHNIQUES.md: where every technique and experiment of the sources is in the reference, and what was published of it.

    python -m bench.techniques

The rows are those of techniques.toml and experiments.toml. An override leads to the code of the techniques that name its field.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
PAGE = HERE / "TECHNIQUES.md"
SECTIONS = {
    "1.1": "Attention",
    "1.2": "Embedding side",
    "1.3": "Block structure, losses",
    "1.4": "Optimizers and schedules",
    "1.5": "Quantisation and packing",
    "1.6": "Evaluation",
}
HEAD = """\
# Techniques

Every technique of the records and of their sources: the configuration fields or recipe overrides that switch it on, the code, and what was
published of it (bits per byte; a difference, where there is a sign). `unspecified` tells what the sources leave out. Code is below
`pgolf_ref/`. Made by `python -m bench.techniques` from techniques.toml and experiments.toml.
"""
Row = Mapping[str, Any]


def techniques() -> list[dict[str, Any]]:
    """One table per row of the specification's sections 1.1 to 1.6."""
    return _read("techniques.toml")["technique"]


def experiments() -> list[dict[str, Any]]:
    """One table per experiment of the sources."""
    return _read("experiments.toml")["experiment"]


def _read(name: str) -> dict[str, list[dict[str, Any]]]:
    return tomllib.loads((HERE / name).read_text(encoding="utf-8"))


def code_of(overrides: Iterable[str], rows: Sequence[Row]) -> list[str]:
    """The code of the techniques that the overrides belong to."""
    found = (row for item in overrides for row in _of_override(item, rows))
    return list(dict.fromkeys(code for row in found for code in row.get("code", ())))


def _of_override(item: str, rows: Sequence[Row]) -> list[Row]:
    """The techniques that name the field alone or with this value; where none does, all that name the field."""
    field = field_of(item)
    exact = [row for row in rows if {item, field} & set(row.get("fields", ()))]
    return exact or [row for row in rows if field in map(field_of, row.get("fields", ()))]


def field_of(item: str) -> str:
    """The name of the field in an override."""
    return item.partition("=")[0]


def page() -> str:
    rows = techniques()
    parts = [HEAD]
    for section, title in SECTIONS.items():
        own = [row for row in rows if row["section"] == section]
        parts.append(f"\n## {section} {title}\n")
        parts.extend(_table(("technique", "fields", "code", "published"), (_technique(row) for row in own)))
    parts.append("\n## Experiments\n")
    parts.extend(
        _table(("#", "experiment", "recipe and overrides", "code", "published"), (_experiment(e, rows) for e in experiments()))
    )
    return "\n".join(parts) + "\n"


def _technique(row: Row) -> tuple[str, ...]:
    where = _listed(row.get("fields", ())) or ("always" if row.get("code") else "")
    return row["name"], _with_state(where, row), _listed(row.get("code", ())), row.get("effect", "")


def _experiment(row: Row, rows: Sequence[Row]) -> tuple[str, ...]:
    where = f"`{row['recipe']}`: {_listed(row['set'])}" if "set" in row else ""
    assumed = f" (assumed: {row['assumed']})" if "assumed" in row else ""
    return (
        str(row["number"]),
        row["name"],
        _with_state(where + assumed, row),
        _listed(code_of(row.get("set", ()), rows)),
        row.get("published", ""),
    )


def _with_state(where: str, row: Row) -> str:
    unknown = f"unspecified: {row['unspecified']}" if "unspecified" in row else ""
    return "; ".join(filter(None, (where, unknown)))


def _listed(items: Iterable[str]) -> str:
    return ", ".join(f"`{item}`" for item in items)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield _line(head)
    yield _line(["---"] * len(head))
    yield from (_line(row) for row in rows)


def _line(cells: Sequence[str]) -> str:
    return "|" + "".join(f" {cell} |" if cell else " |" for cell in (cell.replace("|", r"\|") for cell in cells))


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(PAGE)
