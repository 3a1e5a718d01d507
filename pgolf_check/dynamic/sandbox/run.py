"""Runs a job in the sandbox and says what became of it; trusts nothing that the job says."""

from __future__ import annotations

import math
import signal
from collections.abc import Mapping
from typing import Any

from pgolf_check.dynamic.sandbox.job import Ending, Job, Outcome, SandboxError
from pgolf_check.dynamic.sandbox.mechanism import Contained, contained, unprivileged
from pgolf_check.dynamic.sandbox.results import collect
from pgolf_check.dynamic.sandbox.running import Ended, run_contained
from pgolf_check.dynamic.sandbox.staging import Staged, relative, staged


def run(job: Job, *, allow_weak: bool = False) -> Outcome:
    """Run a job to its end, or kill it with all its processes at the first limit; nothing of it is left on the host.

    Raises SandboxError if the job cannot be laid out or started, or if the host offers no sandbox; with `allow_weak` the job then runs
    in the weak one, and `missing` names what does not protect.
    """
    if not job.argv or not job.argv[0].startswith("/"):
        raise SandboxError(f"the command must begin with an absolute path, not with {' '.join(job.argv[:1]) or 'nothing'}")
    owner = unprivileged()
    with staged(job, owner) as folder:
        around = contained(job, folder, owner, allow_weak=allow_weak)
        return _outcome(job, folder, around, run_contained(job, folder, around))


def _outcome(job: Job, folder: Staged, around: Contained, end: Ended) -> Outcome:
    if end.ending is Ending.EXITED and "error" in end.report:
        raise SandboxError(f"the job could not be started: {str(end.report['error'])[:500]}")
    status, ending = _status(end)
    out = relative(job.out)
    prefix = f"{out}/" if out.parts else ""
    listed = {name.removeprefix(prefix) for name in folder.hashes if name.startswith(prefix)}
    results = collect(folder.work / out, listed, job.limits.returned_bytes)
    return Outcome(
        status=status,
        ended=ending,
        stdout=end.stdout,
        stderr=end.stderr,
        results=results.files,
        sizes=results.sizes,
        left_out=results.left_out,
        files=folder.hashes,
        by=around.by,
        layers=around.layers,
        missing=around.missing,
        remarks=around.remarks,
        wall_s=end.wall_s,
        cpu_s=max(end.cpu_s, _number(end.report, "cpu")),
        memory_peak=int(max(end.memory_peak, _number(end.report, "memory"))),
    )


def _status(end: Ended) -> tuple[int | None, Ending]:
    if end.ending is not Ending.EXITED:
        return None, end.ending
    status = end.report.get("status")
    if not isinstance(status, int):
        return None, Ending.LOST
    return (None, Ending.CPU) if status == -signal.SIGXCPU else (status, Ending.EXITED)


def _number(report: Mapping[str, Any], name: str) -> float:
    value = report.get(name)
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else 0.0
