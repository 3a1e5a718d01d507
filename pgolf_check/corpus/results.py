"""The answers of a corpus run as JSON Lines, and the file that a stopped run goes on from.

Beside the answers stands `FILE.run` with what they depend on: the checker and the options. Other ones are refused, so that a file never
mixes two kinds of answers.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from pgolf_check.corpus.pool import Answered
from pgolf_check.corpus.worker import Options, Refused
from pgolf_check.errors import UserError
from pgolf_check.model import Certainty, Finding, JudgedFinding, Report, Severity, Status, Verdict, Witness
from pgolf_check.report.document import document

UNREADABLE = "X101"
"""The rule of a path that cannot be read."""
BETTER_THAN_CHANCE = "C100"
"""The rule that only a script that ran decides."""


def as_object(answered: Answered, options: Options) -> dict[str, Any]:
    """An answer as the JSON object of its line: the report's document with `path` as asked, and `seconds`."""
    result = answered.result
    report = _refusal(answered.path, result, options) if isinstance(result, Refused) else result
    told = {"ran": _ran(report)} if Witness.DYNAMIC in options.witnesses else {}
    return {**document(report), **told, "path": answered.path, "seconds": round(answered.seconds, 4)}


def _ran(report: Report) -> bool | str:
    """Whether the script was run to a stated loss; if not, why not."""
    answer = next((answer for answer in report.answers if answer.rule == BETTER_THAN_CHANCE), None)
    if answer is None:
        return "the submission could not be read"
    return answer.reason if answer.status in (Status.NOT_ANALYSED, Status.NOT_RUN) else True


def _refusal(path: str, refused: Refused, options: Options) -> Report:
    """What is told of a path that is no submission, as a report with that as its only finding."""
    from pgolf_check.rules.edition import load_edition
    from pgolf_check.rules.rulebook import load_rulebook

    witnesses = tuple(w for w in Witness if w in options.witnesses)
    finding = Finding(UNREADABLE, witnesses[0], Certainty.PROVEN, refused.message)
    judged = JudgedFinding(finding, load_rulebook().rules[UNREADABLE].name, Severity.BLOCK)
    return Report(path, Verdict.INCOMPLETE, witnesses, (judged,), (), load_edition(options.edition).name, options.profile)


def fingerprint(options: Options) -> str:
    """What the answers depend on beside the paths: the checker's own files, the rulebook and the options."""
    package = Path(__file__).resolve().parent.parent
    digest = hashlib.sha256(repr({name: _stable(getattr(options, name)) for name in Options.__slots__}).encode())
    for folder, pattern in ((package, "*.py"), (package.parent / "rules", "*"), (package / "rulebook", "*")):
        for path in sorted(p for p in folder.rglob(pattern) if p.is_file()):
            digest.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes())
    if options.edition is not None and Path(options.edition).is_file():
        digest.update(Path(options.edition).read_bytes())
    return digest.hexdigest()


def _stable(value: object) -> object:
    return sorted(map(str, value)) if isinstance(value, frozenset) else str(value)


@contextmanager
def resumed(path: Path, options: Options) -> Iterator[tuple[TextIO, list[dict[str, Any]]]]:
    """Open a results file to go on with: (where to append, the answers that it holds). A line cut short is dropped.

    Raises UserError if the file holds answers of another checker or other options, or cannot be written.
    """
    mark, now = path.with_name(path.name + ".run"), fingerprint(options)
    try:
        if path.exists() and (not mark.exists() or mark.read_text(encoding="utf-8").strip() != now):
            raise UserError(f"{path}: these are not answers of this checker with these options; remove the file or name another")
        mark.write_text(now + "\n", encoding="utf-8")
        kept = _complete(path)
        with path.open("a", encoding="utf-8") as stream:
            yield stream, kept
    except OSError as error:
        raise UserError(f"{path}: cannot be written: {error.strerror or error}") from error


def _complete(path: Path) -> list[dict[str, Any]]:
    """The answers in a file; what follows the last whole line is cut off."""
    if not path.exists():
        return []
    data = path.read_bytes()
    whole = data[: data.rfind(b"\n") + 1]
    if len(whole) != len(data):
        os.truncate(path, len(whole))
    return [json.loads(line) for line in whole.decode("utf-8").splitlines()]
