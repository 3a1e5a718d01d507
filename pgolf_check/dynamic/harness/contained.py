"""Trials in the sandbox: a laid-out folder becomes a job that sees its files and the stand-ins, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from pgolf_check.dynamic import sandbox
from pgolf_check.dynamic.harness.trial import LAUNCHER, TRACE, Ended
from pgolf_check.dynamic.sandbox import Ending, Job, Limits

MIB = 1 << 20
LOADED = 2.0
TRACED = 64 * MIB
"""Bytes of a trace that are read."""


class Contained:
    """A `Runner` that runs in the sandbox.

    `seconds` of a processor are for all its runs together, `each` for one of them; by the clock they may take LOADED times as long, so
    that other work on the machine does not decide what is found.
    """

    def __init__(self, seconds: float, each: float, *, allow_weak: bool = False) -> None:
        self.remaining = seconds
        self.each = each
        self.by_the_clock = LOADED * seconds
        self.allow_weak = allow_weak
        self.layers = ""
        """How the last run was contained."""

    def __call__(self, command: Sequence[str], folder: Path, variables: Mapping[str, str]) -> Ended:
        """Raises SandboxError if the host offers no sandbox."""
        processor = min(self.each, self.remaining)
        wall = min(LOADED * processor, self.by_the_clock)
        if wall < 1.0:
            return Ended(1, "", "no time is left for this run")
        files = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()}
        limits = Limits(
            wall_s=wall, cpu_s=processor, memory_bytes=6144 * MIB, file_bytes=512 * MIB, output_bytes=8 * MIB, returned_bytes=TRACED
        )
        job = Job(tuple(command), files, variables, limits, out=TRACE.parent.as_posix(), visible=(LAUNCHER.parent,))
        outcome = sandbox.run(job, allow_weak=self.allow_weak)
        self.remaining -= outcome.cpu_s
        self.by_the_clock -= outcome.wall_s
        self.layers = str(outcome.by) + (f", without: {'; '.join(outcome.missing)}" if outcome.missing else "")
        errors = outcome.stderr.decode("utf-8", "replace")
        if outcome.ended is not Ending.EXITED:
            errors = f"{errors}\n{outcome.ended.value}"
        status = 137 if outcome.status is None else outcome.status
        return Ended(status, outcome.stdout.decode("utf-8", "replace"), errors, outcome.results.get(TRACE.name, b""))
