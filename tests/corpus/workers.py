"""What a worker process may run in place of the judge; a path says what becomes of it."""

from __future__ import annotations

import os
import signal
import time
from multiprocessing.connection import Connection

from pgolf_check.corpus import worker
from pgolf_check.corpus.worker import Refused


def play(pipe: Connection) -> None:
    """`die` ends the process, `sleep` and `work` never answer, all only while the source is asked for; `gone` always ends it.

    `nap` answers late, without having worked.
    """
    while True:
        try:
            path, options = pipe.recv()
        except EOFError:
            return
        told = options.stopped or options.crashed
        if path == "gone" or (path.startswith("die") and not told):
            os.kill(os.getpid(), signal.SIGSEGV)
        if path.startswith("sleep") and not told:
            time.sleep(600)
        if path.startswith("nap"):
            time.sleep(1.5)
        while path.startswith("work") and not told:
            pass
        pipe.send(Refused(f"{path}: {told or 'judged'}"))


def small(pipe: Connection) -> None:
    """The judge, with little memory to work in."""
    worker.MEMORY = 192 << 20
    worker.serve(pipe)
