"""One submission, from its path to a report: load, ask the witnesses, judge."""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from pgolf_check.model import Report, Witness
from pgolf_check.rules.edition import Edition, load_edition
from pgolf_check.rules.facts import Facts
from pgolf_check.rules.rulebook import load_rulebook
from pgolf_check.static.collector import rare_collections
from pgolf_check.static.facts import StaticFacts
from pgolf_check.submission.model import Submission
from pgolf_check.submission.pull_request import PullRequest
from pgolf_check.verdict import crash, judge
from pgolf_check.waivers import Waiver

if TYPE_CHECKING:
    from pgolf_check.dynamic.facts import DynamicFacts

DEFAULT_WITNESSES = frozenset({Witness.PAPER, Witness.STATIC})
NO_MEMORY = "the analysis needs more memory than it is given"


@rare_collections()
def audit(
    path: str,
    *,
    repo: str | None = None,
    witnesses: Collection[Witness] = DEFAULT_WITNESSES,
    edition: str | None = None,
    profile: str = "precedent",
    as_of: datetime.date | None = None,
    select: Collection[str] = (),
    ignore: Collection[str] = (),
    grandfather: bool = True,
    stopped: str = "",
    crashed: str = "",
    pull_request: PullRequest | None = None,
    waivers: Sequence[Waiver] = (),
) -> Report:
    """Judge one path. `edition` is a TOML file; `select` and `ignore` hold codes or their beginnings (C, C3, C301).

    `stopped` (a limit was reached) or `crashed` tell why the static witness, though asked, is not to be tried; after a crash no rule
    reads a source.

    Raises UserError if the path, the edition, the profile or a code cannot be used.
    """
    from pgolf_check.submission.load import load

    reference = load_edition(edition)
    submission = load(path, repo=repo)
    if crashed:
        submission = _unread(submission, crashed)
    crashes: list[str] = [crashed] if crashed else []
    told = crashes if Witness.STATIC in witnesses else [*crashes]  # what the dynamic witness asks the other for may be missing
    read = _static(submission, told, stopped) if {Witness.STATIC, Witness.DYNAMIC} & set(witnesses) else None
    facts = Facts(
        submission=submission,
        edition=reference,
        static=read if Witness.STATIC in witnesses else None,
        witnesses=frozenset(witnesses),
        as_of=as_of,
        profile=profile,
        pull_request=pull_request,
        dynamic=_dynamic(submission, read, crashes) if Witness.DYNAMIC in witnesses else None,
    )
    excused = standing(submission, reference) if grandfather else frozenset()
    return judge(facts, load_rulebook(), select, ignore, excused=excused, crashes=crashes, waivers=waivers)


def _dynamic(submission: Submission, read: StaticFacts | None, crashes: list[str]) -> DynamicFacts | None:
    from pgolf_check.dynamic.harness.declared import declared
    from pgolf_check.dynamic.witness import probe

    try:
        return probe(submission, declared(read))
    except Exception as error:  # noqa: BLE001  (the boundary: a crash is an answer, X103)
        crashes.append(f"the dynamic witness stopped: {crash(error)}")
        return None


def _unread(submission: Submission, why: str) -> Submission:
    """The submission without the text of its scripts: what else reads them may end this process as well."""
    left = f"it is left unread: {why}"
    scripts = {path: replace(s, text=None, modules={}, problem=s.problem or left) for path, s in submission.scripts.items()}
    return replace(submission, scripts=scripts)


def standing(submission: Submission, edition: Edition) -> frozenset[str]:
    """The rules whose findings are notes because this very script, with this claim, is a merged record that they came after."""
    file = submission.file(submission.entry)
    if file is None or file.data is None:
        return frozenset()
    digest = hashlib.sha256(file.data).hexdigest()
    claim = submission.metadata.val_bpb if submission.metadata is not None else None
    same = [merged for merged in edition.grandfathered if (merged.script_sha256, merged.val_bpb) == (digest, claim)]
    return frozenset(rule for merged in same for rule in merged.rules)


def _static(submission: Submission, crashes: list[str], stopped: str) -> StaticFacts | None:
    from pgolf_check.static.cache import analysis_cached
    from pgolf_check.static.engine import analyse

    if stopped:
        return StaticFacts((), stopped=stopped)
    if crashes:
        return None
    try:
        return analysis_cached(submission, analyse)
    except MemoryError:
        return StaticFacts((), stopped=NO_MEMORY)
    except Exception as error:  # noqa: BLE001  (the boundary: a crash is an answer, X103)
        crashes.append(f"the static witness stopped: {crash(error)}")
        return None
