"""How a job is contained on this host: the strongest way that works, or the weak one where that was asked for."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pgolf_check.dynamic.sandbox.job import Job, Layer, SandboxError
from pgolf_check.dynamic.sandbox.staging import Staged, relative

CONFINE = Path(__file__).parent / "inside" / "confine.py"
PYTHON = (sys.executable, "-I", "-S", "-B")
UNPRIVILEGED = 1_879_048_192
"""As root a job runs as a user from here on that nobody else is."""
PATH, USER = "/usr/local/bin:/usr/bin:/bin", "job"


@dataclass(frozen=True, slots=True)
class Contained:
    """A command that starts `confine.py` with the descriptors SPEC and STATUS appended, and what stands around it.

    `work`, `home` and `temporary` are the paths as the job sees them; the first `generations` of processes below ours are the
    sandbox's own; `setting` is what the command needs beside the job; `user` is what `confine.py` has still to become.
    """

    command: tuple[str, ...]
    work: str
    home: str
    temporary: str
    layers: tuple[Layer, ...]
    generations: int
    user: int | None = None
    setting: Mapping[str, Any] | None = None
    remarks: tuple[str, ...] = ()

    @property
    def missing(self) -> tuple[Layer, ...]:
        return tuple(layer for layer in Layer if layer not in self.layers)

    def spec(self, job: Job) -> dict[str, Any]:
        """What the command is told, for JSON."""
        own = {"HOME": self.home, "TMPDIR": self.temporary, "USER": USER, "LOGNAME": USER}
        return {
            "argv": list(job.argv),
            "environment": {"PATH": PATH, **job.environment, **own},
            "cwd": os.path.join(self.work, relative(job.cwd)),
            "limits": asdict(job.limits),
            "user": self.user,
            "setting": self.setting,
        }


def unprivileged() -> int:
    """The user that a job runs as on the host: ours, or if that is root one of its own, by process."""
    return os.geteuid() or UNPRIVILEGED + os.getpid()


def contained(job: Job, folder: Staged, owner: int, *, allow_weak: bool) -> Contained:
    """The containment of a job. Raises SandboxError where nothing but the weak one is offered and that was not asked for."""
    if allow_weak:
        return weak(folder, owner)
    raise SandboxError("this host offers no sandbox: install bubblewrap, allow user namespaces, or accept the weak sandbox")


def weak(folder: Staged, owner: int) -> Contained:
    """Limits and a clean environment only: the job can read and write what its user can, and has the network."""
    root = os.geteuid() == 0
    return Contained(
        (*PYTHON, str(CONFINE)),
        work=str(folder.work),
        home=str(folder.home),
        temporary=str(folder.temporary),
        layers=(*((Layer.PRIVILEGES,) if root else ()), Layer.LIMITS, Layer.ENVIRONMENT),
        generations=0,
        user=owner if root else None,
        remarks=("weak sandbox: the job could use the network and every file that its user can",),
    )
