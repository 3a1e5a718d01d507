"""Which witnesses catch the illegal twins of the reference's own bundle. Writes bench/twins.md.

    python -m bench.twins [--only RULE ...]

Each twin is a legal bundle with a small edit (tests/ref/bundle_twins.toml). All three witnesses judge its folder, which holds the script
and a README; the dynamic one runs it in the sandbox. With --only, the rows of these rules are printed and nothing is written.
"""

from __future__ import annotations

import argparse
import math
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "ref"))

from twins import TWINS, Twin, edited, script_of, write  # noqa: E402  (a module of the tests)

from pgolf_check.audit import audit  # noqa: E402
from pgolf_check.dynamic.canary import ALPHA  # noqa: E402
from pgolf_check.model import Report, Severity, Witness  # noqa: E402

PAGE = Path(__file__).resolve().with_name("twins.md")
LEGAL: Twin = {"rule": "", "told": "the bundle as it is", "edits": []}
HEAD = """\
# Illegal twins of the reference's bundle

Made by `python -m bench.twins`: a small recipe as one script, and small edits of it that break one rule each
([tests/ref/bundle_twins.toml](../tests/ref/bundle_twins.toml)). The cells are the rules that a witness found, those that are for review in
brackets. The dynamic witness tells log10 of the e-value of the losses on random tokens; at {threshold} or more it convicts (C100).
"""
UNSEEN = """\
## What random tokens do not show

Of these twins the score of random tokens is the same with and without what the rule forbids:
"""
STRUCTURE = ("P", "V", "S", "T", "B", "X")
"""Rules that a folder of a script and a README breaks anyhow."""


@dataclass(frozen=True, slots=True)
class Row:
    """What the witnesses say of a twin: the rules that they found, and log10 of the e-value if the script ran."""

    twin: Twin
    static: tuple[str, ...]
    paper: tuple[str, ...]
    dynamic: tuple[str, ...]
    log10_e: float | None
    problem: str
    seconds: float

    @property
    def witnesses(self) -> int:
        return sum(map(bool, (self.static, self.paper, self.dynamic)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", help="the rules whose twins are tried; nothing is written", default=[])
    only = parser.parse_args().only
    chosen = [twin for twin in (LEGAL, *TWINS) if not only or twin["rule"] in only]
    rows = []
    for twin in sorted(chosen, key=lambda twin: "unseen" in twin):
        rows.append(judged(twin))
        print(line(rows[-1]), flush=True)
        if not only:
            PAGE.write_text("\n".join(document(rows)) + "\n", encoding="utf-8")


def judged(twin: Twin) -> Row:
    """A twin before all witnesses."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(twin, edited(script_of(twin), twin["edits"]), folder)
        static, paper = (audit(str(folder), witnesses=(witness,)) for witness in (Witness.STATIC, Witness.PAPER))
        began = time.monotonic()
        dynamic = audit(str(folder), witnesses=(Witness.DYNAMIC,))
        seconds = time.monotonic() - began
    figures = _figures(dynamic)
    problem = next((answer.reason for answer in dynamic.answers if answer.rule == "C100" and not answer.figures), "")
    return Row(twin, _found(static), _found(paper), _found(dynamic), figures.get("log10_e"), problem, seconds)


def _found(report: Report) -> tuple[str, ...]:
    """The rules of its findings, review ones in brackets."""
    found = {judged.finding.rule: judged.severity for judged in report.findings if judged.severity is not Severity.NOTE}
    return tuple(
        rule if severity is Severity.BLOCK else f"({rule})"
        for rule, severity in sorted(found.items())
        if not rule.startswith(STRUCTURE)
    )


def _figures(report: Report) -> dict[str, Any]:
    return {figure.name: figure.value for answer in report.answers if answer.rule == "C100" for figure in answer.figures}


def document(rows: list[Row]) -> Iterator[str]:
    """The lines of the page."""
    yield HEAD.format(threshold=f"{-math.log10(ALPHA):g}")
    yield "| rule | the twin | static | paper | dynamic | witnesses | seconds of dynamic |\n|---|---|---|---|---|---:|---:|"
    yield from map(line, rows)
    left = len(TWINS) + 1 - len(rows)
    if left:
        yield f"\nThe run was stopped; {left} twins are left out."
    hidden = [twin for twin in TWINS if "unseen" in twin]
    if hidden:
        yield f"\n{UNSEEN}"
        yield from (f"* {twin['rule']}: {twin['unseen']}." for twin in hidden)


def line(row: Row) -> str:
    """A row of the table."""
    cells = (row.twin["rule"] or "none", row.twin["told"], _cell(row.static), _cell(row.paper), _told(row), str(row.witnesses))
    return f"| {' | '.join(cells)} | {row.seconds:.0f} |"


def _cell(rules: tuple[str, ...]) -> str:
    return " ".join(rules) or "nothing"


def _told(row: Row) -> str:
    if row.log10_e is None:
        return f"not run: {row.problem}"
    found = " ".join(row.dynamic) or ("cannot show" if "unseen" in row.twin else "nothing")
    return f"{found}, {row.log10_e:,.1f}"


if __name__ == "__main__":
    main()
