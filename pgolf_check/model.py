"""The value objects that every part of the checker shares.

Data flows one way: a `Submission` is read, witnesses derive facts and `Event`s from it, rules turn those into `Finding`s, and the
verdict follows from the findings. Nothing in this module does work or imports another module of the package.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any


class Witness(enum.StrEnum):
    """A source of evidence about a submission."""

    PAPER = "paper"
    STATIC = "static"
    DYNAMIC = "dynamic"


class Severity(enum.StrEnum):
    """What a finding does to the verdict."""

    BLOCK = "block"
    REVIEW = "review"
    NOTE = "note"


class Certainty(enum.StrEnum):
    """How complete the evidence of a finding is."""

    PROVEN = "proven"
    LIKELY = "likely"
    POSSIBLE = "possible"


class Status(enum.StrEnum):
    """What became of one rule on one submission."""

    PASS = "pass"
    FAIL = "fail"
    REVIEW = "review"
    NOT_APPLICABLE = "not-applicable"
    NOT_ANALYSED = "not-analysed"
    NOT_RUN = "not-run"


class Verdict(enum.StrEnum):
    """The answer for a submission, in order of precedence."""

    ILLEGAL = "illegal"
    INELIGIBLE = "ineligible"
    INCOMPLETE = "incomplete"
    REVIEW = "review"
    CLEAN = "clean"

    @property
    def exit_code(self) -> int:
        return {"illegal": 1, "ineligible": 1, "incomplete": 2, "review": 3, "clean": 0}[self.value]


@dataclass(frozen=True, slots=True, order=True)
class Location:
    """A place in a text file of the submission: relative POSIX path, 1-based line and column. Line 0: the whole file."""

    path: str
    line: int = 0
    column: int = 0
    end_line: int = 0


@dataclass(frozen=True, slots=True)
class Step:
    """One numbered step of the path that a finding shows."""

    location: Location
    message: str


@dataclass(frozen=True, slots=True)
class Finding:
    """One breach of one rule, as a rule reports it. Severity and name come from the rulebook when the verdict is formed."""

    rule: str
    witness: Witness
    certainty: Certainty
    message: str
    locations: tuple[Location, ...] = ()
    trace: tuple[Step, ...] = ()
    ceiling: Severity = Severity.BLOCK
    """The worst severity this finding may take, e.g. REVIEW for code that a default runs and no log shows."""


class EventKind(enum.StrEnum):
    """What the run does to a state or to a stretch of the validation stream."""

    READ = "read"
    UPDATE = "update"
    RESET = "reset"
    SCORE = "score"
    REPORT = "report"


@dataclass(frozen=True, slots=True)
class Region:
    """A stretch of a token stream.

    `iterations` fixes some loops to one of their iterations, (loop instance, iteration number); loops that are not named take all
    of theirs. `positions` holds exact stream positions where the dynamic witness knows them. Two regions are disjoint if they
    fix a loop to different iterations, if their exact positions are disjoint, or if their streams differ.
    """

    stream: str
    iterations: frozenset[tuple[int, int]] = frozenset()
    positions: frozenset[int] | None = None

    def within(self, iterations: frozenset[tuple[int, int]]) -> Region:
        """The part of this region that the given loop iterations select: a loop that it fixes already can select nothing beyond that."""
        fixed = {loop for loop, _ in self.iterations}
        added = frozenset(i for i in iterations if i[0] not in fixed)
        return Region(self.stream, self.iterations | added, self.positions) if added else self

    def inside(self, other: Region) -> bool:
        """True only if every position of this region certainly is one of the other's."""
        own = _by_loop(self.iterations)
        fixed = _by_loop(other.iterations).items()
        if self.stream != other.stream or not all(loop in own and own[loop] <= numbers for loop, numbers in fixed):
            return False
        return other.positions is None or self.positions is not None and self.positions <= other.positions

    def overlaps(self, other: Region) -> bool:
        """False only if the two regions certainly share no position."""
        if self.stream != other.stream:
            return False
        if self.positions is not None and other.positions is not None and not self.positions & other.positions:
            return False
        theirs = _by_loop(other.iterations)
        return all(numbers & theirs[loop] for loop, numbers in _by_loop(self.iterations).items() if loop in theirs)


@lru_cache(maxsize=4096)
def _by_loop(iterations: frozenset[tuple[int, int]]) -> Mapping[int, set[int]]:
    """The numbers of the iterations, by loop."""
    found: dict[int, set[int]] = {}
    for loop, number in iterations:
        found.setdefault(loop, set()).add(number)
    return found


@dataclass(frozen=True, slots=True)
class Mixture:
    """The token being scored reached a score by another way than the gather from a distribution; `records.Mixed` lists the kinds.

    Of a SCORE: what became of its tokens on the way to the distribution; `records.Trace` lists these kinds and what `detail` is.
    """

    kind: str
    location: Location
    through: tuple[Step, ...] = ()
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Event:
    """One act on a region of the validation stream or on a state, from either code witness.

    `order` numbers the events of one run. `seen` holds, for a SCORE, the UPDATE events whose regions had flowed into the states that
    the score was computed with; for an UPDATE, those of the state before it. `loop` lists the enclosing loop iterations, outermost
    first, as (loop instance, iteration number). `through` lists the places a value passed on its way (copies, files, calls).
    """

    kind: EventKind
    order: int
    location: Location
    state: str = ""
    regions: tuple[Region, ...] = ()
    seen: tuple[Event, ...] = ()
    accumulator: str = ""
    loop: tuple[tuple[int, int], ...] = ()
    guard: tuple[str, ...] = ()
    certainty: Certainty = Certainty.PROVEN
    through: tuple[Step, ...] = ()
    scores: tuple[Event, ...] = ()
    """For a REPORT: the SCORE events whose losses reach the reported number."""
    best_of: tuple[Location, ...] = ()
    """For a REPORT: the places where the lower of several scores of one region was chosen."""
    mixtures: tuple[Mixture, ...] = ()
    """For a SCORE: what became of its tokens before; for a REPORT: what the token being scored did to the number beside being looked up in the distribution."""
    text: str = ""
    """For a REPORT: the text that is printed, holes written as {}; for an UPDATE: training, gradient, write or count."""
    reads: tuple[Location, ...] = ()
    """Where the tokens of the regions were read from a file."""
    made: tuple[tuple[int, int], ...] = ()
    """For an UPDATE: the loop iterations in which the state was made or last reset."""
    rows: int | None = None
    """For an UPDATE: the first dimension of a state that is one parameter."""
    since: frozenset[tuple[int, int]] = frozenset()
    """Places within a window, by number, from which on the tokens of an UPDATE, or the scores of a REPORT, were taken."""
    until: frozenset[tuple[int, int]] = frozenset()
    """For an UPDATE: places up to which its tokens were taken."""

    def overlaps(self, other: Event) -> bool:
        """Whether the two touch a common part of a stream."""
        return any(mine.overlaps(theirs) for mine in self.regions for theirs in other.regions)


@dataclass(frozen=True, slots=True)
class Figure:
    """A number that a rule measured, or a text that says of what, for the report's figures."""

    name: str
    value: Any
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What one rule says about one submission: its findings, its status and the figures it measured."""

    rule: str
    status: Status
    findings: tuple[Finding, ...] = ()
    figures: tuple[Figure, ...] = ()
    reason: str = ""


@dataclass(frozen=True, slots=True)
class JudgedFinding:
    """A finding with the severity that the rulebook, profile and edition give it."""

    finding: Finding
    name: str
    severity: Severity
    waived: str = ""
    """Why a reviewer waived it; the severity is then NOTE."""


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that a rendering of the result may show."""

    path: str
    verdict: Verdict
    witnesses: tuple[Witness, ...]
    findings: tuple[JudgedFinding, ...]
    answers: tuple[Answer, ...]
    edition: str
    profile: str
    sources: Mapping[str, str] = field(default_factory=dict)
    """Decoded text per script, for source frames; not part of the JSON body."""
    folder: str = ""
    """The submission's folder in its repository or archive: what the paths of locations are relative to."""
    decoded: Mapping[str, str] = field(default_factory=dict)
    """The names in `sources` whose lines are not those of a file as shipped, with the file that holds them."""
