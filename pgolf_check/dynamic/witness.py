"""The dynamic witness on one submission: its script runs in the sandbox on random tokens, and its losses are judged.

In one probe the losses stay near the entropy, which shows leaks of the evaluation, in another training is on, which shows those before it, and a
third shows hashed tables. Controls run once in a process before anything is judged.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cache
from typing import TypeVar

from pgolf_check.dynamic.facts import DynamicFacts
from pgolf_check.dynamic.harness.calibration import check_controls
from pgolf_check.dynamic.harness.configuration import STREAM, Probe, colliding, first_configuration, for_probe, on_stream
from pgolf_check.dynamic.harness.contained import Contained
from pgolf_check.dynamic.harness.crossing import cross
from pgolf_check.dynamic.harness.declared import NOTHING, Declared
from pgolf_check.dynamic.harness.flipping import flip
from pgolf_check.dynamic.harness.trial import Made, Trial, try_script
from pgolf_check.dynamic.shard import Layout
from pgolf_check.errors import UserError
from pgolf_check.submission.entry import programs_of
from pgolf_check.submission.model import Submission

T = TypeVar("T")
SECONDS, EACH = 240.0, 60.0
"""Seconds of a processor for all runs of a submission, and for one of them."""
CONTROL_SECONDS = 180.0
MOST_PROGRAMS = 2
"""How many programs that import a script are run in its place."""
SMALL = 8 << 20
"""Bytes of a file that is laid beside the script."""
COUNTS = re.compile(
    r"\.add\.at\(|bincount|scatter_add|index_add|Counter\(|defaultdict\(|ctypes|load_inline|\.get\([^()]*, ?0(\.0)?\) ?\+"
)
"""What a script that fills a table at evaluation calls: only such scripts are probed for it, to save time."""
KEEPS_APART = re.compile(r"cu_seqlens|varlen|flex_attention|BlockMask|document|\bdocs?_|\bbos", re.IGNORECASE)
"""What a script speaks of that may keep the documents of a row apart: only such scripts are run for what crosses."""
SIZES = range(261, (1 << 16) + 1)
FIXED = re.compile(r"""(?:fineweb10B_sp|vocab_size["']?\s*(?::\s*int\s*=|[=:])\s*)(\d{3,5})\b""")
"""How a script fixes its vocabulary: by the folder of its shards, or by a value of that name."""


def probe(submission: Submission, declared: Declared = NOTHING, *, allow_weak: bool = False) -> DynamicFacts:
    """Run a submission's script as it declares, shrunk; one that states no loss by itself through a program that uses it.

    What cannot be run is told, and proves nothing.
    """
    file = submission.file(submission.entry)
    if file is None or file.data is None:
        return DynamicFacts(submission.entry, stopped="there is no script to run")
    try:
        _controlled(allow_weak)
    except UserError as error:
        return DynamicFacts(submission.entry, stopped=str(error))
    run = Contained(SECONDS, EACH, allow_weak=allow_weak)
    found = _probed(submission, declared, run)
    if found.problem:
        for program in programs_of(submission.scripts, submission.entry, submission.commands)[:MOST_PROGRAMS]:
            through = _probed(replace(submission, entry=program), declared, run)
            if not through.problem:
                return through
    return found


def _probed(submission: Submission, declared: Declared, run: Contained) -> DynamicFacts:
    """What the probes of the entry script show, up to the first that shows a breach."""
    files = inputs(submission)
    trials: list[Trial] = []
    for trial in _trials(submission, declared, run):
        trials.append(trial)
        found = DynamicFacts(submission.entry, tuple(trials), run.layers)
        if found.problem or found.convicts:
            return found
    found = replace(found, flipped=_of_some(trials, lambda made: flip(submission.entry, files, made, run)))
    if found.flipped is None or found.flipped.changed or not KEEPS_APART.search(source_of(submission)):
        return found
    return replace(found, crossed=_of_some(trials, lambda made: cross(submission.entry, files, made, run)))


def _of_some(trials: Sequence[Trial], shown: Callable[[Made], T | None]) -> T | None:
    """Of the first trial that shows it; that of the evaluation, where the rates are lowest, comes last."""
    for trial in sorted(trials, key=lambda trial: trial.probe is Probe.EVALUATION):
        found = shown(trial.made) if trial.made is not None else None
        if found is not None:
            return found
    return None


def _trials(submission: Submission, declared: Declared, run: Contained) -> Iterator[Trial]:
    """One trial of each probe, each with what the one before it ran with."""
    files, source = inputs(submission), source_of(submission)
    layout = stream_of(source)
    first = first_configuration(Probe.EVALUATION, layout, source, declared)
    for which in Probe:
        if which is Probe.TABLES:
            if not COUNTS.search(source):
                return
            first = on_stream(first, colliding(layout, settable=layout == STREAM))
        trial = try_script(submission.entry, files, which, run, for_probe(first, which))
        yield trial
        first = trial.ran or first


def inputs(submission: Submission) -> dict[str, bytes]:
    """What is laid beside the script: no logs, since a run could not write into the folders that hold them."""
    logs = {log.path for log in submission.logs}
    return {f.path: f.data for f in submission.files if f.data is not None and f.size <= SMALL and f.path not in logs}


@cache
def _controlled(allow_weak: bool) -> None:
    """Raises UserError unless the controls come out as they must here."""
    check_controls(Contained(CONTROL_SECONDS, EACH, allow_weak=allow_weak))


def source_of(submission: Submission) -> str:
    """The decoded text of the script, "" if it could not be had."""
    script = submission.scripts.get(submission.entry)
    return script.text if script is not None and script.text is not None else ""


def stream_of(text: str) -> Layout:
    """The stream for a script: of the vocabulary that it fixes, if it does not take it from the environment."""
    if re.search(r"""["']VOCAB_SIZE["']""", text):
        return STREAM
    named = [int(size) for size in FIXED.findall(text)]
    sizes = [size for size in named if size in SIZES]
    return Layout(tokens=STREAM.tokens, vocab=max(set(sizes), key=sizes.count)) if sizes else STREAM
