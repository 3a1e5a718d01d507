"""Two processes that take turns, so that both meet the same conditions of the machine at nearly the same time.

A worker announces each finished step with its duration and waits until the parent lets it go on. Invariant: what a worker prints
otherwise does not mix with what it announces.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TextIO

import torch

from pgolf_ref.errors import UserError
from pgolf_ref.memory import peak_memory


class Pace:
    """The worker's side: one JSON line out per step, one line in to go on."""

    def __init__(self) -> None:
        """From here on, standard output goes where standard error does."""
        self._out: TextIO = os.fdopen(os.dup(sys.stdout.fileno()), "w")
        sys.stdout.flush()
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self._since = 0.0

    def begin(self) -> None:
        """Wait for the first turn. The first duration includes whatever comes before the first step."""
        self._wait()

    def step_done(self, loss: float | None = None) -> None:
        """Announce a step with its training loss; the next duration begins with the next turn."""
        seconds = time.perf_counter() - self._since
        self._tell({"seconds": seconds, "train_loss": loss, "memory": max(peak_memory(self._device).values())})
        self._wait()

    def finish(self, loss: float) -> None:
        """The validation loss after the last step."""
        self._tell({"loss": loss})

    def _tell(self, message: Mapping[str, float | None]) -> None:
        print(json.dumps(message), file=self._out, flush=True)

    def _wait(self) -> None:
        if not sys.stdin.readline():
            raise SystemExit(0)  # the parent has seen enough, or is gone
        self._since = time.perf_counter()


class Worker:
    """The parent's side; a context that ends the process."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], folder: Path, name: str) -> None:
        """`folder` is where the process works and what it says is kept, in NAME.log."""
        self._name, self._told = name, folder / f"{name}.log"
        with self._told.open("wb") as told:
            self._process = subprocess.Popen(
                command, env=dict(environment), cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=told, text=True
            )
        self.seconds: list[float] = []
        self.train_losses: list[float | None] = []
        self.memory = 0  # bytes at most
        self.loss: float | None = None

    def __enter__(self) -> "Worker":
        return self

    def __exit__(self, *error: object) -> None:
        self._process.kill()
        self._process.communicate()

    def turn(self) -> bool:
        """Let the worker do one step; False when it has finished. UserError where it has ended otherwise."""
        assert self._process.stdin and self._process.stdout
        try:
            self._process.stdin.write("go\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise self._ended() from None
        line = self._process.stdout.readline()
        if not line:
            raise self._ended()
        message = json.loads(line)
        if "loss" in message:
            self.loss = message["loss"]
            self._process.wait()
            return False
        self.seconds.append(message["seconds"])
        self.train_losses.append(message["train_loss"])
        self.memory = message["memory"]
        return True

    def _ended(self) -> UserError:
        said = self._told.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        status = self._process.wait()
        last = f": {said[-1]}" if said else ""
        return UserError(f"{self._name} ended with status {status} after {len(self.seconds)} steps{last}")
