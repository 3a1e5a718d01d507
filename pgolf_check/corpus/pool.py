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
"""Seconds for one path."""
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
            _next(worker, pending, options)
        while any(worker.path is not None for worker in workers):
            for index in _ready(workers, time_limit):
                worker = workers[index]
                answered = _collect(worker, time_limit)
                if worker.count >= AGE or not worker.process.is_alive():
                    _end(worker)
                    workers[index] = _start(target) if pending or answered is None else worker
                if answered is None:
                    _again(workers[index], worker)
                    continue
                worker.path = None
                _next(workers[index], pending, options)
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


def _next(worker: _Worker, pending: deque[str], options: Options) -> None:
    if pending:
        _ask(worker, pending.popleft(), options)
        worker.began = worker.asked


def _ask(worker: _Worker, path: str, options: Options) -> None:
    worker.path, worker.options, worker.asked = path, options, time.monotonic()
    worker.count += 1
    worker.pipe.send((path, options))


def _ready(workers: list[_Worker], time_limit: float) -> list[int]:
    """The workers that have answered, died or run out of time."""
    busy = {worker.pipe: index for index, worker in enumerate(workers) if worker.path is not None}
    soonest = min(workers[index].asked for index in busy.values()) + time_limit
    answered = {busy[pipe] for pipe in wait(list(busy), max(soonest - time.monotonic(), 0)) if isinstance(pipe, Connection)}
    late = {index for index in busy.values() if time.monotonic() >= workers[index].asked + time_limit}
    return sorted(answered | late)


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


def _again(fresh: _Worker, failed: _Worker) -> None:
    assert failed.path is not None
    _ask(fresh, failed.path, failed.options)
    fresh.began = failed.began


def _ending(code: int | None) -> str:
    import signal

    if code is not None and code < 0:
        return f"signal {signal.Signals(-code).name}"
    return f"exit code {code}"
