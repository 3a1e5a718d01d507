"""What every rule is given: the submission as read, the reference data, and what the witnesses found."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pgolf_check.model import Witness
from pgolf_check.rules.edition import Edition
from pgolf_check.static.facts import StaticFacts
from pgolf_check.submission.model import Submission
from pgolf_check.submission.pull_request import PullRequest

if TYPE_CHECKING:
    from pgolf_check.dynamic.facts import DynamicFacts


@dataclass(frozen=True, slots=True)
class Facts:
    """The evidence about one submission. `static` and `dynamic` are None if that witness was not asked or could not finish.

    `pull_request` is None unless the submission is judged as part of one.
    """

    submission: Submission
    edition: Edition
    static: StaticFacts | None = None
    witnesses: frozenset[Witness] = frozenset({Witness.PAPER})
    as_of: datetime.date | None = None
    profile: str = "precedent"
    pull_request: PullRequest | None = None
    dynamic: DynamicFacts | None = None
