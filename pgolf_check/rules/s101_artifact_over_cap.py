"""S101: code plus compressed model must fit the cap.

Four totals: as logged, and the largest logged model with the script as shipped ("plain"), with the files that the script brings in, and
with the script packed, which is done where the plain total is over the cap. Under `precedent` the logged and the packed total count,
and another over the cap is a note; under `strict` none may be over it.
"""

from __future__ import annotations

from dataclasses import dataclass

from pgolf_check.model import Answer, Certainty, Figure, Finding, Location, Severity, Witness
from pgolf_check.rules.answers import failed, not_analysed
from pgolf_check.rules.facts import Facts
from pgolf_check.rules.local_code import local_files
from pgolf_check.rules.runs import LoggedRun, counted_runs, is_aside
from pgolf_check.stats.size import packings
from pgolf_check.submission.model import Script

CODE = "S101"


def check(facts: Facts) -> Answer:
    runs = counted_runs(facts.submission)
    logged = [r for r in runs if r.run.total_bytes is not None]
    models = [r for r in runs if r.run.model_bytes is not None]
    if not logged and not models:
        return not_analysed(CODE, "no log states the size of the compressed model or a total")
    findings = [_over(facts, r, aside=is_aside(facts, r, runs)) for r in logged if _total(r) > facts.edition.artifact_bytes]
    figures = [Figure("logged_total", max(_total(r) for r in logged), "bytes")] if logged else []
    if models:
        found, measured = _with_script(
            facts, max((r for r in models if not is_aside(facts, r, runs)), key=_model, default=models[0])
        )
        findings.extend(found)
        figures.extend(measured)
    return failed(CODE, findings, figures)


def _total(logged: LoggedRun) -> int:
    return logged.run.total_bytes or 0


def _model(logged: LoggedRun) -> int:
    return logged.run.model_bytes or 0


def _over(facts: Facts, logged: LoggedRun, *, aside: bool) -> Finding:
    cap = facts.edition.artifact_bytes
    told = f"{logged.name} logs {_total(logged):,} bytes of code and model, {_total(logged) - cap:,} over the cap of {cap:,}"
    told += "; other runs state the claimed score" if aside else ""
    return _finding(told, logged.run.total_location or logged.location, ceiling=Severity.REVIEW if aside else Severity.BLOCK)


def _with_script(facts: Facts, worst: LoggedRun) -> tuple[list[Finding], list[Figure]]:
    """The totals of the largest model with the code of the folder, and what they break."""
    script = facts.submission.scripts.get(facts.submission.entry)
    if script is None:
        return [], []
    cap, model = facts.edition.artifact_bytes, _model(worst)
    sizes = {"plain": script.size, "with_local_files": script.size + sum(f.file.size for f in local_files(facts.submission))}
    packed = _packed(script, cap - model) if model + script.size > cap else None
    if packed is not None:
        sizes["packed"] = packed.size
    figures = [Figure(f"{name}_total", model + size, "bytes") for name, size in sizes.items()]
    places = (Location(script.path), worst.run.total_location or worst.location)
    if model + sizes["with_local_files"] <= cap:
        return [], figures
    over = f"the largest logged model ({model:,} bytes, {worst.log.path}) and {_told(script, sizes)}"
    over += (
        f" make {model + sizes['with_local_files']:,} bytes, {model + sizes['with_local_files'] - cap:,} over the cap of {cap:,}"
    )
    if packed is None:
        return [_finding(over, *places, ceiling=Severity.BLOCK if facts.profile == "strict" else Severity.NOTE)], figures
    if facts.profile == "strict":
        return [_finding(over, *places)], figures
    over += f"; with the script {packed.told}, and nothing else, it is {model + packed.size:,}"
    decided = Severity.NOTE if model + packed.size <= cap else Severity.BLOCK if packed.is_last or model >= cap else Severity.REVIEW
    return [_finding(over, *places, ceiling=decided)], figures


@dataclass(frozen=True, slots=True)
class _Packed:
    """What a script can be packed to: bytes, how, and whether every way was tried."""

    size: int
    told: str
    is_last: bool


def _packed(script: Script, room: int) -> _Packed:
    """The first form of the script that fits into the room, else the smallest; it may be the one that was shipped."""
    if script.text is None:
        return _Packed(script.size, "as shipped", is_last=True)
    size, minified = script.size, False
    for packing in packings(script.text):
        size, minified = min(size, packing.size), packing.minified
        if size <= room or room <= 0:
            break
    return _Packed(size, "minified and compressed" if minified else "compressed", is_last=minified or bool(script.layers))


def _told(script: Script, sizes: dict[str, int]) -> str:
    beside = sizes["with_local_files"] - sizes["plain"]
    return f"{script.path} as shipped ({script.size:,} bytes)" + (
        f" with the files that it brings in ({beside:,})" if beside else ""
    )


def _finding(message: str, *places: Location, ceiling: Severity = Severity.BLOCK) -> Finding:
    return Finding(CODE, Witness.PAPER, Certainty.PROVEN, message, places, ceiling=ceiling)
