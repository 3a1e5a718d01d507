"""The static witness: from a submission to the facts of its runs. The audited source is parsed, never executed."""

from __future__ import annotations

import sys

from pgolf_check.model import Location, Severity, Step
from pgolf_check.static import ir
from pgolf_check.static.cache import lower_cached
from pgolf_check.static.claim import find_claim
from pgolf_check.static.configuration import Configuration, configurations
from pgolf_check.static.events import EventMaker
from pgolf_check.static.facts import StaticFacts, StaticRun
from pgolf_check.static.lower import CannotParse
from pgolf_check.static.machine import Machine, OutOfBudget
from pgolf_check.static.statements import run_block
from pgolf_check.static.values import ModuleScope
from pgolf_check.submission.model import Submission

RECURSION = 12_000


def analyse(submission: Submission) -> StaticFacts:
    """Run the entry script of a submission abstractly, once per configuration that matters."""
    script = submission.scripts.get(submission.entry)
    if script is None:
        return StaticFacts((), (Step(Location(submission.entry), "no training script was found"),))
    if script.text is None:
        return StaticFacts((), (Step(Location(submission.entry), script.problem),))
    sources = Sources(submission)
    try:
        main = sources.lower(submission.entry, script.text)
    except CannotParse as error:
        return StaticFacts((), (Step(Location(submission.entry, error.line, error.column), f"does not parse: {error}"),))
    sys.setrecursionlimit(max(sys.getrecursionlimit(), RECURSION))
    runs = tuple(_run(submission, sources, main, c) for c in configurations(submission))
    return StaticFacts(runs, tuple(sources.problems))


class Sources:
    """The lowered files of a submission, by path and by the module name that an import uses."""

    def __init__(self, submission: Submission) -> None:
        self.submission = submission
        self.problems: list[Step] = []
        self._lowered: dict[str, ir.Module] = {}

    def lower(self, path: str, text: str) -> ir.Module:
        if path not in self._lowered:
            self._lowered[path] = lower_cached(text)
        return self._lowered[path]

    def find(self, name: str) -> tuple[str, ir.Module] | None:
        """A module that lies in the submission or is carried as a string by its entry script."""
        entry = self.submission.entry
        folder = entry.rpartition("/")[0]
        relative = name.replace(".", "/")
        for candidate in dict.fromkeys((f"{folder}/{relative}.py", f"{relative}.py", f"{relative}/__init__.py")):
            path = candidate.lstrip("/")
            script = self.submission.scripts.get(path)
            if script is not None and script.text is not None and path != entry:
                return self._try(path, script.text)
        main = self.submission.scripts.get(entry)
        if main is not None and name in main.modules:
            return self._try(f"{entry}:{name}", main.modules[name])
        return None

    def _try(self, path: str, text: str) -> tuple[str, ir.Module] | None:
        try:
            return path, self.lower(path, text)
        except CannotParse as error:
            self.problems.append(Step(Location(path, error.line, error.column), f"does not parse: {error}"))
            return None


def _run(submission: Submission, sources: Sources, main: ir.Module, configuration: Configuration) -> StaticRun:
    machine = Machine(configuration.environment, configuration.arguments, sources.find, run_block)
    machine.overrides = dict(configuration.printed)
    unfollowed: list[Step] = []
    try:
        execute(machine, submission.entry, main)
    except OutOfBudget:
        unfollowed.append(Step(machine.here(), "the run takes more steps than the analysis allows"))
    except RecursionError:
        unfollowed.append(Step(machine.here(), "the source is nested too deeply to follow"))
    unfollowed.extend(Step(where, why) for where, why in machine.unfollowed.items())
    maker = EventMaker()
    reports = tuple(maker.report(r) for r in machine.reports)
    scores = tuple(maker.score(s) for s in machine.scores)
    claim, resolved = find_claim(reports, submission)
    ceiling = configuration.ceiling if resolved else Severity.REVIEW
    return StaticRun(configuration.source, ceiling, claim, resolved, reports, scores, tuple(unfollowed), machine.steps)


def execute(machine: Machine, path: str, main: ir.Module) -> None:
    """Run a file as the main program."""
    scope = ModuleScope(path, "__main__")
    scope.names.update({"__name__": "__main__", "__file__": path, "__doc__": None})
    machine.modules["__main__"] = scope
    machine.path = path
    machine.execute(machine, main.body, scope)
