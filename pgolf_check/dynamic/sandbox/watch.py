"""The processes of a job as the host sees them: what they use together, and how all of them are killed."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass

PAGE = os.sysconf("SC_PAGE_SIZE")
TICKS = os.sysconf("SC_CLK_TCK")
PATIENCE = 10.0
"""Seconds until killing is given up."""


@dataclass(frozen=True, slots=True)
class _Process:
    pid: int
    parent: int
    threads: int
    cpu_s: float
    resident: int


@dataclass(frozen=True, slots=True)
class Usage:
    """What the processes of a job use at one moment: `threads` of all, seconds of CPU with those of ended children, bytes."""

    threads: int
    cpu_s: float
    resident: int


def usage(root: int, most_resident: int, overhead: int) -> Usage:
    """What the descendants of process `root` use, but the first `overhead` generations of it, which are the sandbox's own.

    Pages that are shared count once where the plain sum is above `most_resident`.
    """
    generations = _generations(root)
    job = [process for generation in generations[overhead:] for process in generation]
    everyone = [process for generation in generations for process in generation]
    resident = sum(process.resident for process in job)
    if resident > most_resident:
        resident = sum(_proportional(process) for process in job)
    return Usage(sum(process.threads for process in job), sum(process.cpu_s for process in everyone), resident)


def kill_tree(root: int) -> bool:
    """Kill every descendant of process `root`, stopping them first so that none starts another; whether none is left."""
    until = time.monotonic() + PATIENCE
    while victims := [process.pid for generation in _generations(root) for process in generation]:
        if time.monotonic() > until:
            return False
        stopped: set[int] = set()
        while new := [pid for pid in victims if pid not in stopped]:
            _signal(new, signal.SIGSTOP)
            stopped.update(new)
            victims = [process.pid for generation in _generations(root) for process in generation]
        _signal(victims, signal.SIGKILL)
        time.sleep(0.01)
    return True


def _signal(pids: list[int], number: signal.Signals) -> None:
    for pid in pids:
        try:
            os.kill(pid, number)
        except (ProcessLookupError, PermissionError):
            continue


def _generations(root: int) -> list[list[_Process]]:
    """The children of a process, their children and so on; ended ones that wait to be reaped are left out."""
    children: dict[int, list[_Process]] = {}
    for name in os.listdir("/proc"):
        if name.isdigit() and (process := _read(int(name))) is not None:
            children.setdefault(process.parent, []).append(process)
    found, parents = [], [root]
    while below := [process for parent in parents for process in children.get(parent, [])]:
        found.append(below)
        parents = [process.pid for process in below]
    return found


def _read(pid: int) -> _Process | None:
    """From /proc/PID/stat, proc(5): state 3, ppid 4, utime 14, stime 15, cutime 16, cstime 17, num_threads 20, rss 24."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as stream:
            fields = stream.read().rpartition(b")")[2].split()
    except OSError:
        return None
    if len(fields) < 22 or fields[0] in (b"Z", b"X"):
        return None
    ticks = sum(map(int, fields[11:15]))
    return _Process(pid, int(fields[1]), int(fields[17]), ticks / TICKS, int(fields[21]) * PAGE)


def _proportional(process: _Process) -> int:
    """Its resident memory with shared pages divided among their users; the plain sum where the kernel does not tell."""
    try:
        with open(f"/proc/{process.pid}/smaps_rollup", "rb") as stream:
            for line in stream:
                if line.startswith(b"Pss:"):
                    return int(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        pass
    return process.resident
