"""The page on the dynamic witness counts what ran and what was found, and says why the rest did not run."""

from __future__ import annotations

from typing import Any

from bench.dynamic import document


def case(label: str, ran: bool | str, rules: tuple[str, ...] = (), seconds: float = 10.0) -> tuple[dict[str, Any], dict[str, Any]]:
    findings = [{"rule": rule, "severity": "block"} for rule in rules]
    return {"label": label, "rule": "C301"}, {"ran": ran, "findings": findings, "seconds": seconds}


def test_counts_reasons_and_seconds() -> None:
    cases = [
        case("illegal", True, ("C100",), seconds=20.0),
        case("illegal", True, ("X102",)),
        case("legal", True),
        case("legal", "a.py could not be run: shrunk: IndexError: index 4 is out of range; six layers: killed: wall-clock limit"),
    ]
    page = "\n".join(document(cases, jobs=1))
    for line in (
        "| scripts that ran to a stated loss | 3 of 4 (75 %) |",
        "| illegal ones that ran and were found | 1 of 2 (50 %) |",
        "| legal ones that ran and were convicted | 0 of 1 (0 %) |",
        "| seconds a script, 90 % | 20 |",
        "| C301 | 2 | 2 | 1 | 0 |",
        "| no time: killed at the limit | 1 |",
    ):
        assert line in page
    assert "| 0 % | 0.00 | 0.00 | 0.00 |" in page and "| 5 % | 1.00 | 1.00 | 1.00 |" in page
