"""Judges many paths with several worker processes: one answer per path whatever happens, in the order in which they finish.

A path whose worker dies or takes too long is judged again without its source, and the report tells what became of the source.
"""

from __future__ import annotations

import multiprocessing
import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

from pgolf_check.corpus.worker import Options, Refused, serve
from pgolf_check.model import Report, Witness

TIME_LIMIT = 30.0
"""Seconds for one path: of the processor where the system tells them, so that a verdict does not depend on what else the machine does."""
PATIENCE = 4
"""Times that many seconds of the clock are the end in any case."""
RUNNING = 600.0
"""Seconds beside these for one path whose script is run: the controls, and its own runs."""
AGE = 200
"""Paths after which a worker is replaced, so that its memory does not grow with the list."""

Target = Callable[[Connection], None]


@dataclass(frozen=True, slots=True)
class Answered:
    """What became of a path: a report, or a refusal in one sentence. `seconds` is the time that it took."""

    path: str
    result: Report | Refused
    seconds: float


@dataclass(slots=True)
class _Worker:
    process: BaseProcess
    pipe: Connection
    path: str | None = None
    options: Options = field(default_factory=Options)
    began: float = 0.0
    asked: float = 0.0
    used: float | None = None  # seconds of the processor, when it was asked
    due: float = 0.0  # when to look whether it is late
    count: int = 0


def judge_all(
    paths: Iterable[str], options: Options, *, jobs: int = 1, time_limit: float = TIME_LIMIT, target: Target = serve
) -> Iterator[Answered]:
    """An answer for every path. Closing the iterator, or an interruption, ends the workers, each of which runs `target`."""
    time_limit += RUNNING if Witness.DYNAMIC in options.witnesses else 0.0
    pending = deque(dict.fromkeys(paths))
    workers: list[_Worker] = []
    try:
        while len(workers) < min(jobs, len(pending)):
            workers.append(_start(target))
        for worker in workers:
            _next(worker, pending, options, time_limit)
        while any(worker.path is not None for worker in workers):
            for index in _ready(workers, time_limit):
                worker = workers[index]
                answered = _collect(worker, time_limit)
                if worker.count >= AGE or not worker.process.is_alive():
                    _end(worker)
                    workers[index] = _start(target) if pending or answered is None else worker
                if answered is None:
                    _again(workers[index], worker, time_limit)
                    continue
                worker.path = None
                _next(workers[index], pending, options, time_limit)
                yield answered
    finally:
        for worker in workers:
            _end(worker)


def _start(target: Target) -> _Worker:
    """A worker; it imports nothing from the working directory, which may be the submission that is judged."""
    os.environ["PYTHONSAFEPATH"] = "1"
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=target, args=(theirs,), daemon=True)
    process.start()
    theirs.close()
    return _Worker(process, ours)


def _end(worker: _Worker) -> None:
    worker.process.kill()
    worker.process.join()
    worker.pipe.close()


def _next(worker: _Worker, pending: deque[str], options: Options, time_limit: float) -> None:
    if pending:
        _ask(worker, pending.popleft(), options, time_limit)
        worker.began = worker.asked


def _ask(worker: _Worker, path: str, options: Options, time_limit: float) -> None:
    worker.path, worker.options, worker.asked = path, options, time.monotonic()
    worker.used, worker.due = _used(worker), worker.asked + time_limit
    worker.count += 1
    worker.pipe.send((path, options))


def _ready(workers: list[_Worker], time_limit: float) -> list[int]:
    """The workers that have answered, died or run out of time; there may be none yet."""
    busy = {worker.pipe: index for index, worker in enumerate(workers) if worker.path is not None}
    soonest = min(workers[index].due for index in busy.values())
    answered = {busy[pipe] for pipe in wait(list(busy), max(soonest - time.monotonic(), 0)) if isinstance(pipe, Connection)}
    late = {index for index in busy.values() if _is_late(workers[index], time_limit)}
    return sorted(answered | late)


def _is_late(worker: _Worker, time_limit: float) -> bool:
    """Whether it has had its seconds; if not yet, `due` is when it can have had them."""
    now, used = time.monotonic(), _used(worker)
    if now < worker.due:
        return False
    if used is None or worker.used is None or Witness.DYNAMIC in worker.options.witnesses:
        return True
    left = min(time_limit - (used - worker.used), worker.asked + PATIENCE * time_limit - now)
    worker.due = now + left
    return left <= 0


def _used(worker: _Worker) -> float | None:
    """Seconds of the processor that a worker has used; None where the system does not tell."""
    try:
        with open(f"/proc/{worker.process.pid}/stat", encoding="utf-8", errors="replace") as file:
            fields = file.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError):
        return None


def _collect(worker: _Worker, time_limit: float) -> Answered | None:
    """A worker's answer. None if the path must be judged once more without its source: `options` then say why."""
    assert worker.path is not None
    spent = time.monotonic() - worker.began
    if worker.pipe.poll():
        try:
            return Answered(worker.path, worker.pipe.recv(), spent)
        except (EOFError, OSError):
            worker.process.join()
            told = f"the process that read the source ended with {_ending(worker.process.exitcode)}"
            again = replace(worker.options, crashed=told)
    else:
        worker.process.kill()
        worker.process.join()
        told = f"the analysis took longer than {time_limit:g} s"
        again = replace(worker.options, stopped=told)
    if Witness.STATIC not in worker.options.witnesses or worker.options.stopped or worker.options.crashed:
        return Answered(worker.path, Refused(f"{worker.path}: {told}"), spent)
    worker.options = again
    return None


def _again(fresh: _Worker, failed: _Worker, time_limit: float) -> None:
    assert failed.path is not None
    _ask(fresh, failed.path, failed.options, time_limit)
    fresh.began = failed.began


def _ending(code: int | None) -> str:
    import signal

    if code is not None and code < 0:
        return f"signal {signal.Signals(-code).name}"
    return f"exit code {code}"
