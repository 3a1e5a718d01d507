"""Names a finding across versions of a submission: its rule and the text of its lines, without their numbers."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from pgolf_check.model import Finding, Location


def fingerprint(finding: Finding, sources: Mapping[str, str]) -> str:
    """32 hexadecimal digits. Where no line of source is known, the message stands for it."""
    lines = [_line(place, sources) for place in finding.locations]
    parts = [finding.rule]
    for place, line in zip(finding.locations, lines, strict=True):
        parts += [place.path, line]
    if not any(lines):
        parts.append(finding.message)
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _line(place: Location, sources: Mapping[str, str]) -> str:
    lines = sources.get(place.path, "").split("\n")
    return " ".join(lines[place.line - 1].split()) if 0 < place.line <= len(lines) else ""
