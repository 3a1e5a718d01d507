"""The processes of a job between start and end: drains what they print, and kills all of them at the first limit."""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any

from pgolf_check.dynamic.sandbox import watch
from pgolf_check.dynamic.sandbox.job import Ending, Job, Limits
from pgolf_check.dynamic.sandbox.mechanism import Contained
from pgolf_check.dynamic.sandbox.results import used_bytes
from pgolf_check.dynamic.sandbox.staging import Staged

POLL, DISK_POLL = 0.05, 0.25
"""Seconds between looks at the processes, and at the files."""
SHARE = 10
"""A look may cost one in so many parts of the time."""
CHUNK = 1 << 16
STATUS_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Ended:
    """How the processes ended, what they printed (capped) and used, and what `confine.py` reported, {} if nothing readable."""

    ending: Ending
    stdout: bytes
    stderr: bytes
    report: Mapping[str, Any]
    wall_s: float
    cpu_s: float
    memory_peak: int


def run_contained(job: Job, folder: Staged, around: Contained) -> Ended:
    """Start the job, watch over it, and leave no process of it."""
    began = time.monotonic()
    with _started(job, around) as (process, status):
        printed = _Printed(process, job.limits.output_bytes)
        observed = _Observed(process.pid, folder, job.limits, around.generations)
        try:
            ending = _watched(process, printed, observed, began + job.limits.wall_s)
        finally:
            watch.kill_tree(process.pid)
            process.kill()
            process.wait()
        wall_s = time.monotonic() - began
        report = _report(status)
    stdout, stderr = bytes(printed.texts["stdout"]), bytes(printed.texts["stderr"])
    return Ended(ending, stdout, stderr, report, wall_s, observed.cpu_s, observed.memory_peak)


@contextmanager
def _started(job: Job, around: Contained) -> Iterator[tuple[subprocess.Popen[bytes], IO[bytes]]]:
    spec = os.memfd_create("job", os.MFD_CLOEXEC)
    reading, writing = os.pipe()
    try:
        os.write(spec, json.dumps(around.spec(job)).encode())
        os.lseek(spec, 0, os.SEEK_SET)
        process = subprocess.Popen(
            [*around.command, str(spec), str(writing)],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            pass_fds=(spec, writing), env={}, cwd="/", start_new_session=True,
        )  # fmt: skip
    finally:
        os.close(spec)
        os.close(writing)
    with process, open(reading, "rb", buffering=0) as status:
        yield process, status


def _watched(process: subprocess.Popen[bytes], printed: _Printed, observed: _Observed, until: float) -> Ending:
    """Until the job has ended or reached a limit."""
    while True:
        if not printed.drain(POLL):
            return Ending.OUTPUT
        if process.poll() is not None and printed.closed:
            return Ending.EXITED
        if time.monotonic() > until:
            return Ending.WALL
        if (reached := observed.look()) is not None:
            return reached


def _report(status: IO[bytes]) -> Mapping[str, Any]:
    try:
        report = json.loads(status.read(STATUS_BYTES) or b"{}")
    except (ValueError, RecursionError):
        return {}
    return report if isinstance(report, dict) else {}


class _Printed:
    """Standard output and standard error as they come, each up to a limit."""

    def __init__(self, process: subprocess.Popen[bytes], most: int) -> None:
        self.texts = {"stdout": bytearray(), "stderr": bytearray()}
        self._most = most
        self._open = {stream.fileno(): name for name, stream in (("stdout", process.stdout), ("stderr", process.stderr)) if stream}
        for descriptor in self._open:
            os.set_blocking(descriptor, False)

    @property
    def closed(self) -> bool:
        return not self._open

    def drain(self, seconds: float) -> bool:
        """Read what is there, waiting at most so long; False once there is more than the limit."""
        if self.closed:
            time.sleep(seconds)
            return True
        with selectors.DefaultSelector() as selector:
            for descriptor in self._open:
                selector.register(descriptor, selectors.EVENT_READ)
            ready = [key.fd for key, _ in selector.select(seconds)]
        for descriptor in ready:
            text = self.texts[self._open[descriptor]]
            chunk = os.read(descriptor, CHUNK)
            if not chunk:
                del self._open[descriptor]
            if len(text) + len(chunk) > self._most:
                text.extend(chunk[: self._most - len(text)])
                return False
            text.extend(chunk)
        return True


class _Observed:
    """What the job was seen to use, by looks that are far enough apart to cost little."""

    def __init__(self, root: int, folder: Staged, limits: Limits, generations: int) -> None:
        self.cpu_s, self.memory_peak = 0.0, 0
        self._root, self._folder, self._limits, self._generations = root, folder.folder, limits, generations
        self._listed = used_bytes(self._folder)[0]
        self._next_look = self._next_disk_look = 0.0

    def look(self) -> Ending | None:
        """The limit that is found to be passed."""
        began = time.monotonic()
        reached = None
        if began >= self._next_look:
            reached = self._processes()
            self._next_look = _later(began, POLL)
        if reached is None and began >= self._next_disk_look:
            reached = self._files()
            self._next_disk_look = _later(began, DISK_POLL)
        return reached

    def _processes(self) -> Ending | None:
        limits, used = self._limits, watch.usage(self._root, self._limits.memory_bytes, self._generations)
        self.cpu_s = max(self.cpu_s, used.cpu_s)
        self.memory_peak = max(self.memory_peak, used.resident)
        if used.resident > limits.memory_bytes:
            return Ending.MEMORY
        if used.threads > limits.processes:
            return Ending.PROCESSES
        return Ending.CPU if used.cpu_s > limits.cpu_s else None

    def _files(self) -> Ending | None:
        used, beyond = used_bytes(self._folder)
        return Ending.FILES if beyond or used - self._listed > self._limits.file_bytes else None


def _later(began: float, least: float) -> float:
    now = time.monotonic()
    return now + max(least, SHARE * (now - began))
