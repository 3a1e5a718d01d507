"""How long judging takes: each path with an empty and with a filled cache, the memory of the worker, and where the time goes.

The paths are judged as `pgolf-check corpus` does with one worker. The parts are measured apart, once, in this process; what parsing alone
costs is measured on the decoded entry script of each path.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pgolf_check.errors import UserError

if TYPE_CHECKING:
    from pgolf_check.corpus.worker import Options
    from pgolf_check.submission.model import Submission

PARTS = ("reading", "lowering", "running", "rules")
"""Loading and decoding the files; source to compact form; the abstract runs; everything after."""
PARSERS = ("libcst.parse_module", "ast.parse")
CACHE = "PGOLF_CACHE_DIR"
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Times:
    """Seconds, one for each path."""

    seconds: tuple[float, ...]

    def figures(self) -> dict[str, float]:
        """Median, 95th percentile (the smallest value that 95 % do not exceed), largest and sum."""
        ordered = sorted(self.seconds)
        high = ordered[max(-(-len(ordered) * 95 // 100) - 1, 0)]
        return {"median": statistics.median(ordered), "p95": high, "max": ordered[-1], "sum": sum(ordered)}


@dataclass(slots=True)
class Measured:
    """The times of all paths. `parts` and `parsers` leave out paths that cannot be read or parsed; `megabytes` is the worker's peak."""

    cold: Times
    warm: Times
    megabytes: float
    parts: Mapping[str, Times] = field(default_factory=dict)
    parsers: Mapping[str, Times] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """All figures as JSON: seconds and megabytes."""
        rows = {"cold": self.cold, "warm": self.warm}
        return {
            "paths": len(self.cold.seconds),
            **{name: _rounded(times) for name, times in rows.items()},
            "parts": {name: _rounded(times) for name, times in self.parts.items()},
            "parsers": {name: _rounded(times) for name, times in self.parsers.items()},
            "worker_megabytes": round(self.megabytes, 1),
        }

    def table(self) -> str:
        """All figures as text."""
        rows = [("cold", self.cold), ("warm", self.warm), *self.parts.items(), *self.parsers.items()]
        lines = [f"{len(self.cold.seconds)} paths; seconds", f"{'':<20} {'median':>8} {'95 %':>8} {'max':>8} {'sum':>9}"]
        for name, times in rows:
            found = times.figures()
            lines.append(f"{name:<20} {found['median']:8.3f} {found['p95']:8.3f} {found['max']:8.3f} {found['sum']:9.2f}")
        return "\n".join([*lines, f"the worker took up to {self.megabytes:.0f} MB"]) + "\n"


def _rounded(times: Times) -> dict[str, float]:
    return {name: round(value, 4) for name, value in times.figures().items()}


def fixtures() -> list[str]:
    """The scripts among the fixtures that are shipped with a checkout. Raises UserError where there are none."""
    root = Path(__file__).resolve().parent.parent / "fixtures"
    found = sorted(str(path) for path in root.rglob("*.py"))
    if not found:
        raise UserError(f"there are no fixtures in {root}; name a LIST of paths")
    return found


def measure(paths: Sequence[str], options: Options, time_limit: float) -> Measured:
    """Judge every path twice, the cache being empty at first, and its parts once. Raises UserError if there are no paths."""
    if not paths:
        raise UserError("the list names no path")
    with _cache():
        cold = _judged(paths, options, time_limit)
        warm = _judged(paths, options, time_limit)
        megabytes = _peak()
    parts: dict[str, list[float]] = {name: [] for name in (*PARTS, *PARSERS)}
    _import()
    with _cache():
        for path in paths:
            for name, seconds in _parts(path, options).items():
                parts[name].append(seconds)
    times = {name: Times(tuple(seconds)) for name, seconds in parts.items() if seconds}
    return Measured(
        cold,
        warm,
        megabytes,
        {name: times[name] for name in PARTS if name in times},
        {name: times[name] for name in PARSERS if name in times},
    )


@contextmanager
def _cache() -> Iterator[None]:
    """An empty cache folder for as long as it is needed."""
    before = os.environ.get(CACHE)
    with tempfile.TemporaryDirectory(prefix="pgolf-bench-") as folder:
        os.environ[CACHE] = folder
        try:
            yield
        finally:
            if before is None:
                del os.environ[CACHE]
            else:
                os.environ[CACHE] = before


def _import() -> None:
    """Import what the parts need, so that no part is charged for it."""
    from pgolf_check.rules.rulebook import load_rulebook
    from pgolf_check.static.lower import lower

    load_rulebook()
    lower("pass\n")


def _judged(paths: Sequence[str], options: Options, time_limit: float) -> Times:
    from pgolf_check.corpus.pool import judge_all

    return Times(tuple(answered.seconds for answered in judge_all(paths, options, time_limit=time_limit)))


def _peak() -> float:
    """Megabytes of the largest process that was started and has ended; not a number where the system does not tell."""
    try:
        import resource
    except ImportError:
        return float("nan")
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * unit / 1e6


def _parts(path: str, options: Options) -> dict[str, float]:
    """Seconds of each part of one path; none if it cannot be read or parsed, or needs no source."""
    from pgolf_check.model import Witness
    from pgolf_check.static.cache import lower_cached
    from pgolf_check.static.engine import analyse
    from pgolf_check.static.lower import CannotParse
    from pgolf_check.submission.load import load

    found: dict[str, float] = {}
    try:
        submission = _timed(found, "reading", lambda: load(path, repo=options.repo))
    except UserError:
        return {}
    script = submission.scripts.get(submission.entry)
    if script is None or script.text is None or Witness.STATIC not in options.witnesses:
        return {}
    text = script.text
    try:
        _timed(found, "lowering", lambda: lower_cached(text))
    except CannotParse:
        return {}
    static = _timed(found, "running", lambda: analyse(submission))
    _timed(found, "rules", lambda: _judge(submission, static, options))
    return {**found, **_parsed(text)}


def _judge(submission: Submission, static: Any, options: Options) -> None:
    from pgolf_check.rules.edition import load_edition
    from pgolf_check.rules.facts import Facts
    from pgolf_check.rules.rulebook import load_rulebook
    from pgolf_check.verdict import judge

    facts = Facts(submission, load_edition(options.edition), static=static, witnesses=options.witnesses, profile=options.profile)
    judge(facts, load_rulebook(), options.select, options.ignore)


def _parsed(text: str) -> dict[str, float]:
    """What parsing alone costs; no figure of a parser that refuses a source which the checker repairs."""
    import ast
    import warnings

    import libcst

    found: dict[str, float] = {}
    try:
        _timed(found, PARSERS[0], lambda: libcst.parse_module(text))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            _timed(found, PARSERS[1], lambda: ast.parse(text))
    except (libcst.ParserSyntaxError, SyntaxError, ValueError):
        pass
    return found


def _timed(found: dict[str, float], name: str, work: Callable[[], Result]) -> Result:
    began = time.perf_counter()
    result = work()
    found[name] = time.perf_counter() - began
    return result
