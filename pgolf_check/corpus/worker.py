"""One judge in a process of its own: takes paths from a pipe, gives a report or a sentence for each, under a memory limit.

The audited source may exhaust the memory or the parser's stack; then this process dies and its parent tells so.
"""

from __future__ import annotations

import contextlib
import datetime
import signal
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection

from pgolf_check.model import Report, Witness
from pgolf_check.submission.pull_request import PullRequest
from pgolf_check.waivers import Waiver

MEMORY = 700_000_000
"""Bytes of private memory that a worker may take."""


@dataclass(frozen=True, slots=True)
class Options:
    """How to judge; the fields are those of `pgolf_check.audit.audit`."""

    repo: str | None = None
    witnesses: frozenset[Witness] = frozenset({Witness.PAPER, Witness.STATIC})
    edition: str | None = None
    profile: str = "precedent"
    as_of: datetime.date | None = None
    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    grandfather: bool = True
    stopped: str = ""
    crashed: str = ""
    pull_request: PullRequest | None = None
    waivers: tuple[Waiver, ...] = ()


@dataclass(frozen=True, slots=True)
class Refused:
    """The path or an option cannot be used; one sentence."""

    message: str


def judge_path(path: str, options: Options) -> Report | Refused:
    """The report of one path, whatever happens short of the death of this process."""
    from pgolf_check.audit import NO_MEMORY, audit
    from pgolf_check.errors import UserError

    try:
        return audit(path, **{name: getattr(options, name) for name in Options.__slots__})
    except UserError as error:
        return Refused(str(error))
    except MemoryError:
        if options.stopped:
            raise
        return judge_path(path, replace(options, stopped=NO_MEMORY))


def serve(pipe: Connection) -> None:
    """Answer (path, options) with a report or a refusal until the other end closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _limit_memory()
    while True:
        try:
            path, options = pipe.recv()
        except EOFError:
            return
        pipe.send(judge_path(path, options))


def _limit_memory() -> None:
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        _, most = resource.getrlimit(resource.RLIMIT_DATA)
        resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, most))
