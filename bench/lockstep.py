"""Two processes that take turns, so that both meet the same conditions of the machine at nearly the same time.

A worker announces each finished step with its duration and waits until the parent lets it go on.
"""

import json
import subprocess
import sys
import time


class Pace:
    """The worker's side: one JSON line out per step, one line in to go on."""

    def __init__(self) -> None:
        self._out = sys.stdout
        self._since = 0.0

    def begin(self) -> None:
        """Wait for the first turn. The first duration includes whatever comes before the first step."""
        self._wait()

    def step_done(self) -> None:
        self._tell({"seconds": time.perf_counter() - self._since})
        self._wait()

    def finish(self, loss: float) -> None:
        """The validation loss after the last step."""
        self._tell({"loss": loss})

    def _tell(self, message: dict[str, float]) -> None:
        print(json.dumps(message), file=self._out, flush=True)

    def _wait(self) -> None:
        sys.stdin.readline()
        self._since = time.perf_counter()


class Worker:
    """The parent's side."""

    def __init__(self, command: list[str], environment: dict[str, str], folder: str) -> None:
        self._command = command
        self._process = subprocess.Popen(
            command, env=environment, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.seconds: list[float] = []
        self.loss: float | None = None

    def turn(self) -> bool:
        """Let the worker do one step; False when it has finished."""
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write("go\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{' '.join(self._command)} ended with status {self._process.wait()}")
        message = json.loads(line)
        if "loss" in message:
            self.loss = message["loss"]
            self._process.wait()
            return False
        self.seconds.append(message["seconds"])
        return True
