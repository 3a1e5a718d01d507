"""Whether the static verdict of real submissions survives renaming, reordering, stripping and minifying.

    python -m bench.invariance PATHS --take 50 --out bench/invariance.md

PATHS is a file with one script of a submission per line; its folder is copied for each variant, the script replaced.
"""

from __future__ import annotations

import argparse
import random
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from bench.variants import VARIANTS
from pgolf_check.audit import audit
from pgolf_check.model import Witness

SEED = 7


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("paths", type=Path)
    parser.add_argument("--take", type=int, default=50)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    scripts = [Path(line) for line in given.paths.read_text().splitlines() if line.endswith(".py")]
    random.Random(SEED).shuffle(scripts)
    outcomes = list(compare(scripts, given.take))
    given.out.write_text(table(outcomes))


def compare(scripts: list[Path], take: int) -> Iterator[tuple[str, str, str, str]]:
    """(script, variant, verdict before, verdict after) of the first scripts that Python here can parse and rewrite."""
    taken = 0
    for script in scripts:
        if taken == take:
            return
        variants = _rewritten(script.read_text(encoding="utf-8", errors="replace"))
        if variants is None:
            continue
        taken += 1
        before = _verdict(script)
        for name, text in variants.items():
            with tempfile.TemporaryDirectory() as folder:
                copy = Path(folder) / "records" / "track" / "head" / script.parent.name
                shutil.copytree(script.parent, copy)
                (copy / script.name).write_text(text, encoding="utf-8")
                after = _verdict(copy / script.name)
            print(f"{script.parent.name} {name}: {before} -> {after}", flush=True)
            yield f"{script.parent.parent.name}/{script.parent.name}", name, before, after


def _rewritten(text: str) -> dict[str, str] | None:
    try:
        return {name: rewrite(text) for name, rewrite in VARIANTS.items()}
    except (SyntaxError, ValueError, RecursionError):
        return None


def _verdict(script: Path) -> str:
    report = audit(str(script), witnesses=frozenset({Witness.STATIC}))
    rules = sorted({j.finding.rule for j in report.findings if j.severity == "block" and j.finding.rule != "X102"})
    return " ".join((str(report.verdict), *rules))


def table(outcomes: list[tuple[str, str, str, str]]) -> str:
    """The report as Markdown."""
    same = Counter(name for _, name, before, after in outcomes if before == after)
    total = Counter(name for _, name, _, _ in outcomes)
    lines = [
        "# Verdicts of rewritten submissions",
        "",
        f"`python -m bench.invariance PATHS`, {len({o[0] for o in outcomes})} scripts.",
        "",
    ]
    lines += ["| rewritten | same verdict and blocking rules |", "|---|---|"]
    lines += [f"| {name} | {same[name]} of {total[name]} |" for name in total]
    changed = [f"- {path}, {name}: {before} became {after}" for path, name, before, after in outcomes if before != after]
    return "\n".join([*lines, "", *(["What changed:", "", *changed] if changed else ["Nothing changed."]), ""])


if __name__ == "__main__":
    main()
