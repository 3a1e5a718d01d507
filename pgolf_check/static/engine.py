"""The static witness: from a submission to the facts of its runs. The audited source is parsed, never executed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace

from pgolf_check.model import Event, Location, Severity, Step
from pgolf_check.static import ir
from pgolf_check.static.cache import lower_cached
from pgolf_check.static.claim import PICKED, final_lines, find_claim, matches, possible_lines
from pgolf_check.static.collector import rare_collections
from pgolf_check.static.configuration import Configuration, configurations
from pgolf_check.static.events import EventMaker
from pgolf_check.static.facts import StaticFacts, StaticRun
from pgolf_check.static.headline import headline_words
from pgolf_check.static.lower import CannotParse
from pgolf_check.static.machine import Machine, OutOfBudget
from pgolf_check.static.native import NATIVE, NativeSource, read_native, strings_of
from pgolf_check.static.recursion import recursion
from pgolf_check.static.statements import run_block
from pgolf_check.static.switches import named, switches
from pgolf_check.static.values import ModuleScope
from pgolf_check.submission.entry import programs_of
from pgolf_check.submission.log_binding import without_foreign_logs
from pgolf_check.submission.model import FinalLine, Submission

RECURSION = 12_000
MOST_PROGRAMS = 3
"""How many programs that import a script are tried for the claim."""
STEPS = ("training", "gradient")


def analyse(submission: Submission) -> StaticFacts:
    """Run the entry script of a submission abstractly, once per configuration that matters.

    A script that scores nothing when it is run by itself is judged through the program that uses it. Logs that embed another program's
    source tell nothing of what this one does: where there are some, it is judged without them as well.
    """
    with rare_collections():
        facts = _through_program(submission, _analyse(submission))
        own = without_foreign_logs(submission)
        if own is submission:
            return facts
        apart = _through_program(own, _analyse(own))
        return StaticFacts((*facts.runs, *apart.runs), tuple(dict.fromkeys((*facts.problems, *apart.problems))))


def _through_program(submission: Submission, facts: StaticFacts) -> StaticFacts:
    """The facts of the program that makes the claim with the entry script, if that does not make it by itself."""
    if submission.entry not in submission.scripts or facts.problems or any(run.resolved for run in facts.runs):
        return facts
    found = [facts]
    for program in programs_of(submission.scripts, submission.entry, submission.commands)[:MOST_PROGRAMS]:
        through = _analyse(replace(submission, entry=program))
        if any(run.resolved for run in through.runs):
            return through
        found.append(through)
    return next((made for made in found if any(run.claim is not None for run in made.runs)), facts)


def _analyse(submission: Submission) -> StaticFacts:
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
    first, *others = _by_headline(submission, main, configurations(submission))
    with recursion(RECURSION):
        runs = [_run(submission, sources, main, c) for c in (first, *others)]
        runs = _shown(submission, main, runs, first, lambda c: _run(submission, sources, main, c))
        if not any(run.reports for run in runs):
            told = _run(submission, sources, main, _any_options(first))
            runs = [told] if told.reports else runs
    return StaticFacts(tuple(runs), tuple(sources.problems))


def _by_headline(submission: Submission, main: ir.Module, given: tuple[Configuration, ...]) -> tuple[Configuration, ...]:
    """Where no log and no command tells of a run: with what the README's table says of the claimed score switched on."""
    if submission.commands or any(log.runs for log in submission.logs):
        return given
    values = named(main, headline_words(submission))
    environment = {**values, **given[0].environment}
    if environment == given[0].environment:
        return given
    return (replace(given[0], source="README.md", environment=environment), replace(given[-1], ceiling=Severity.REVIEW))


def _any_options(first: Configuration) -> Configuration:
    """The configuration of a script that does nothing unless it is told to, by a command line that nobody shows."""
    return replace(first, source="any options", ceiling=Severity.REVIEW, any_options=True)


def _shown(
    submission: Submission,
    main: ir.Module,
    runs: list[StaticRun],
    first: Configuration,
    run: Callable[[Configuration], StaticRun],
) -> list[StaticRun]:
    """The runs, the one that the logs show first: if they show more than it can have printed, one that can; of two, that which printed more."""
    lines = possible_lines(submission)
    missing = [line.text for line in lines if not printed(runs[0], [line])]
    behind = {line.location.path for line in lines} or {log.path for log in submission.logs}
    values = switches(main, missing, [log.text for log in submission.logs if log.path in behind])
    environment = {**first.environment, **{name: v for name, v in values.items() if name not in first.environment}}
    if environment != first.environment:
        made = run(replace(first, source=f"what the logs print, {first.source}", environment=environment, ceiling=Severity.BLOCK))
        if printed(made, lines) >= max(printed(r, lines) for r in runs) and made.resolved >= runs[0].resolved:
            return [made, *(replace(r, ceiling=Severity.REVIEW) for r in runs)]
    if len(runs) == 2 and not first.printed:
        finals = final_lines(submission)
        own, default = (printed(r, finals) for r in runs)
        if default > own:
            return [
                replace(runs[1], ceiling=Severity.BLOCK if runs[1].resolved else Severity.REVIEW),
                replace(runs[0], ceiling=Severity.REVIEW),
            ]
    return runs


def printed(run: StaticRun, lines: Sequence[FinalLine]) -> int:
    """How many of the lines the run can have printed."""
    return sum(any(matches(report.text, line.text) for report in run.reports) for line in lines)


class Sources:
    """The lowered files of a submission, by path and by the module name that an import uses."""

    def __init__(self, submission: Submission) -> None:
        self.submission = submission
        self.problems: list[Step] = []
        self._lowered: dict[str, ir.Module] = {}
        self._native: list[NativeSource] | None = None

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

    def find_native(self, name: str) -> NativeSource | None:
        """The C source that defines a function: a file of the submission, or a text in one of its scripts."""
        return next((source for source in self._natives() if name in source.functions), None)

    def _natives(self) -> list[NativeSource]:
        if self._native is None:
            files = [f for f in self.submission.files if f.path.endswith(NATIVE) and f.data is not None]
            texts = [f.data.decode("utf-8", "replace") for f in files if f.data is not None]
            for path, script in self.submission.scripts.items():
                if script.text is not None and "ctypes" in script.text:
                    with suppress(CannotParse):
                        texts.extend(strings_of(self.lower(path, script.text)))
            self._native = [read_native(text) for text in texts]
        return self._native

    def _try(self, path: str, text: str) -> tuple[str, ir.Module] | None:
        try:
            return path, self.lower(path, text)
        except CannotParse as error:
            self.problems.append(Step(Location(path, error.line, error.column), f"does not parse: {error}"))
            return None


def _run(submission: Submission, sources: Sources, main: ir.Module, configuration: Configuration) -> StaticRun:
    machine = Machine(configuration.environment, configuration.arguments, sources.find, run_block, sources.find_native)
    machine.overrides = dict(configuration.printed)
    machine.any_options = configuration.any_options
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
    claim, resolved = find_claim(reports, submission, PICKED if machine.gates_off else (*PICKED, "gate"))
    ceiling = configuration.ceiling if resolved else Severity.REVIEW
    unused = _unused(machine, maker, reports)
    return StaticRun(
        configuration.source,
        ceiling,
        claim,
        resolved,
        reports,
        scores,
        tuple(unfollowed),
        machine.steps,
        unused,
        machine.gates_off,
        tuple(sorted(configuration.environment.items())),
        tuple(sorted(configuration.printed.items())),
        tuple(sorted(machine.variables)),
    )


def _unused(machine: Machine, maker: EventMaker, reports: Sequence[Event]) -> tuple[Event, ...]:
    """The steps on validation tokens that no reported score was computed with."""
    used = {update.order for report in reports for score in report.scores for update in score.seen}
    return tuple(maker.update(u) for u in machine.updates if u.how in STEPS and u.order not in used)


def execute(machine: Machine, path: str, main: ir.Module) -> None:
    """Run a file as the main program."""
    scope = ModuleScope(path, "__main__")
    scope.names.update({"__name__": "__main__", "__file__": path, "__doc__": None})
    machine.modules["__main__"] = scope
    machine.path = path
    machine.execute(machine, main.body, scope)
