"""Waivers: findings that a reviewer accepts, from a TOML file on the command line and never from the submission.

    [[waiver]]
    code = "C303"
    path = "records/track_10min_16mb/2026-04-30_Folder"   # or fingerprint = "..." as the JSON report shows it
    reason = "the warm-up reads shapes only"
    expires = 2026-07-01                                   # the last day on which it holds

A path waives the findings of that rule that lie below it with all their places. A waived finding stays in the report as a note.
"""

from __future__ import annotations

import datetime
import tomllib
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from pgolf_check.errors import UserError
from pgolf_check.model import Finding, Report

KEYS = {"code", "path", "fingerprint", "reason", "expires"}


@dataclass(frozen=True, slots=True)
class Waiver:
    """One accepted finding or kind of finding; either `path` or `fingerprint` is given."""

    code: str
    reason: str
    expires: datetime.date
    path: str = ""
    fingerprint: str = ""

    def covers(self, finding: Finding, fingerprint: str, places: Iterable[str]) -> bool:
        """Whether a finding with this fingerprint, at these paths of the repository, is waived."""
        if finding.rule != self.code:
            return False
        if self.fingerprint:
            return fingerprint == self.fingerprint
        return all(PurePosixPath(place).is_relative_to(self.path) for place in places)

    def __str__(self) -> str:
        return f"{self.code} {self.path or self.fingerprint} (until {self.expires}: {self.reason})"


def load_waivers(file: str, codes: Collection[str]) -> tuple[Waiver, ...]:
    """The waivers in a file. Raises UserError that names every problem of it."""
    try:
        data = tomllib.loads(Path(file).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{file}: the waivers cannot be read: {error}; name a TOML file with --waivers") from error
    except tomllib.TOMLDecodeError as error:
        raise UserError(f"{file}: the waivers are not TOML: {error}") from error
    entries = data.get("waiver", [])
    if set(data) - {"waiver"} or not (isinstance(entries, list) and all(isinstance(entry, dict) for entry in entries)):
        raise UserError(f"{file}: expected nothing but [[waiver]] tables")
    problems = [f"waiver {n}: {told}" for n, entry in enumerate(entries, 1) for told in _problems(entry, codes)]
    if problems:
        raise UserError(f"{file}: " + "; ".join(problems))
    return tuple(_waiver(entry) for entry in entries)


def in_force(waivers: Iterable[Waiver], today: datetime.date) -> tuple[Waiver, ...]:
    return tuple(waiver for waiver in waivers if today <= waiver.expires)


def remarks(waivers: Iterable[Waiver], today: datetime.date, reports: Iterable[Report]) -> tuple[str, ...]:
    """One sentence for every waiver that has expired or that no finding needed."""
    used = {judged.waived for report in reports for judged in report.findings}
    told = []
    for waiver in waivers:
        if today > waiver.expires:
            told.append(f"a waiver has expired: {waiver}")
        elif str(waiver) not in used:
            told.append(f"a waiver was not used: {waiver}")
    return tuple(told)


def _problems(entry: dict[str, Any], codes: Collection[str]) -> list[str]:
    problems = []
    if entry.get("code") not in codes:
        problems.append(f"code is {entry.get('code')!r}, expected the code of a rule")
    if ("path" in entry) == ("fingerprint" in entry):
        problems.append("expected either path or fingerprint")
    for key in ("path", "fingerprint", "reason"):
        if key in entry and not (isinstance(entry[key], str) and entry[key].strip()):
            problems.append(f"{key} is {entry[key]!r}, expected a text")
    if "reason" not in entry:
        problems.append("reason is missing")
    if type(entry.get("expires")) is not datetime.date:
        problems.append(f"expires is {entry.get('expires')!r}, expected a date such as 2026-07-01")
    problems.extend(f"{key} is no key of a waiver" for key in sorted(set(entry) - KEYS))
    return problems


def _waiver(entry: dict[str, Any]) -> Waiver:
    path = PurePosixPath(entry["path"]).as_posix() if "path" in entry else ""
    return Waiver(entry["code"], entry["reason"].strip(), entry["expires"], path, entry.get("fingerprint", ""))
