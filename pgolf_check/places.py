"""Where a finding lies in terms of the repository: locations are relative to the submission, and may speak of decoded text."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Mapping

from pgolf_check.model import Finding, Location, Report


def repository_path(path: str, folder: str, decoded: Mapping[str, str]) -> str:
    """The path in the repository of a file, or of the text decoded from it; the submission's folder is `folder`."""
    return posixpath.normpath(posixpath.join(folder, decoded.get(path, path)))


def finding_paths(finding: Finding, folder: str, decoded: Mapping[str, str]) -> Iterable[str]:
    """The repository paths of a finding; that of the submission if it names no place."""
    return [repository_path(place.path, folder, decoded) for place in finding.locations or (Location(""),)]


def told(place: Location, report: Report) -> str:
    """The location as people write it: path:line, marked where the line is one of decoded text."""
    path = repository_path(place.path, report.folder, report.decoded)
    if not place.line:
        return path
    return f"{path}:{place.line}" + (" (decoded)" if place.path in report.decoded else "")


def shipped(place: Location, report: Report) -> Location:
    """The location in the repository as shipped: line 0 where the line is one of decoded text."""
    path = repository_path(place.path, report.folder, report.decoded)
    if place.path in report.decoded:
        return Location(path)
    return Location(path, place.line, place.column, place.end_line)
