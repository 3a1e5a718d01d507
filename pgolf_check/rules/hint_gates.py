"""What the logs show of C102: hint lines count where each gate opened.

The gates within a word, at its start and by their agreement ask whether the token being scored begins a word or is a boundary, so that
their counters must be zero; the gate by preceding tokens alone is free.
"""

from __future__ import annotations

from pgolf_check.model import Answer, Certainty, Figure, Finding, Severity, Witness
from pgolf_check.rules.answers import failed
from pgolf_check.rules.facts import Facts
from pgolf_check.rules.runs import LoggedRun, counted_runs
from pgolf_check.submission.model import Gates

CODE = "C102"
BY_TARGET = ("within_gate", "word_gate", "agree2plus")
"""Counters, as logs print them, of gates that read the token being scored."""


def by_gates(facts: Facts) -> Answer | None:
    """What the counters of the runs that count say; None if no log counts gates."""
    runs = counted_runs(facts.submission)
    counted = [(logged, gates) for logged in runs for gates in logged.run.gates]
    if not counted:
        return None
    claim_known = any(logged.claimed for logged in runs)
    findings = [_finding(logged, gates, claim_known) for logged, gates in counted if _opened(gates)]
    return failed(CODE, findings, [Figure("target_gated_hints", max(sum(_opened(gates).values()) for _, gates in counted))])


def _opened(gates: Gates) -> dict[str, int]:
    return {name: gates.counts[name] for name in BY_TARGET if gates.counts.get(name)}


def _finding(logged: LoggedRun, gates: Gates, claim_known: bool) -> Finding:
    told = ", ".join(f"{name} {count:,}" for name, count in _opened(gates).items())
    other = claim_known and not logged.claimed
    message = f"{logged.name}: hints were applied by gates that read the token being scored ({told})" + (
        "; not the claimed run" if other else ""
    )
    return Finding(
        CODE, Witness.PAPER, Certainty.PROVEN, message, (gates.location,), ceiling=Severity.NOTE if other else Severity.BLOCK
    )
