"""S101: code plus compressed model must fit the cap.

Three totals: as logged, the largest logged model with the script as shipped ("plain"), and that model with the script packed. Under
`precedent` the logged and the packed total count, and a plain one over the cap is a note; under `strict` the logged and the plain.
"""

from __future__ import annotations

from collections.abc import Iterator

from pgolf_check.model import Answer, Certainty, Figure, Finding, Location, Severity, Witness
from pgolf_check.rules.answers import failed, not_analysed
from pgolf_check.rules.facts import Facts
from pgolf_check.rules.runs import LoggedRun, counted_runs

CODE = "S101"


def check(facts: Facts) -> Answer:
    runs = counted_runs(facts.submission)
    logged = [r for r in runs if r.run.total_bytes is not None]
    models = [r for r in runs if r.run.model_bytes is not None]
    if not logged and not models:
        return not_analysed(CODE, "no log states the size of the compressed model or a total")
    findings = list(_logged(facts, logged))
    figures = [Figure("logged_total", max(_total(r) for r in logged), "bytes")] if logged else []
    if models:
        worst = max(models, key=_model)
        found, measured = _with_script(facts, worst)
        findings.extend(found)
        figures.extend(measured)
    return failed(CODE, findings, figures)


def _total(logged: LoggedRun) -> int:
    return logged.run.total_bytes or 0


def _model(logged: LoggedRun) -> int:
    return logged.run.model_bytes or 0


def _logged(facts: Facts, runs: list[LoggedRun]) -> Iterator[Finding]:
    cap = facts.edition.artifact_bytes
    for logged in runs:
        if _total(logged) > cap:
            yield _finding(
                f"{logged.name} logs {_total(logged):,} bytes of code and model, {_total(logged) - cap:,} over the cap of {cap:,}",
                logged.run.total_location or logged.location,
            )


def _with_script(facts: Facts, worst: LoggedRun) -> tuple[list[Finding], list[Figure]]:
    """The plain total of the largest model and, where it is over the cap, the packed one."""
    from pgolf_check.stats.size import packed_size

    cap = facts.edition.artifact_bytes
    script = facts.submission.scripts.get(facts.submission.entry)
    if script is None:
        return [], []
    plain = _model(worst) + script.size
    figures = [Figure("plain_total", plain, "bytes")]
    if plain <= cap:
        return [], figures
    places = (Location(script.path), worst.run.total_location or worst.location)
    told = (
        f"the largest logged model ({_model(worst):,} bytes, {worst.log.path}) and {script.path} as shipped ({script.size:,} bytes)"
    )
    over = f"{told} make {plain:,} bytes, {plain - cap:,} over the cap of {cap:,}"
    if facts.profile == "strict":
        return [_finding(over, *places)], figures
    packed = _model(worst) + min(script.size, packed_size(script.text) if script.text is not None else script.size)
    figures.append(Figure("packed_total", packed, "bytes"))
    if packed > cap:
        return [_finding(f"{over}; even with the script minified and compressed it is {packed:,}", *places)], figures
    return [_finding(f"{over}; with the script minified and compressed it is {packed:,}", *places, ceiling=Severity.NOTE)], figures


def _finding(message: str, *places: Location, ceiling: Severity = Severity.BLOCK) -> Finding:
    return Finding(CODE, Witness.PAPER, Certainty.PROVEN, message, places, ceiling=ceiling)
