"""How a job is contained on this host: the strongest way that works, or the weak one where that was asked for."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

from pgolf_check.dynamic.sandbox.job import Job, Layer, Mechanism, SandboxError
from pgolf_check.dynamic.sandbox.staging import Staged, relative
from pgolf_check.dynamic.sandbox.view import HOME, TEMPORARY, WORK, view
from pgolf_check.dynamic.sandbox.view import INSIDE as INSIDE_TARGET
from pgolf_check.dynamic.sandbox.view import USER as USER_INSIDE

INSIDE = Path(__file__).parent / "inside"
PLACES = WORK, HOME, TEMPORARY
SHM_PART = 4
"""The part of its memory that a job may have as shared memory."""
FILTERED = "x86_64", "aarch64"
"""The machines whose system calls `confine.py` knows."""
PATIENCE = 20.0
"""Seconds for trying whether a way works."""
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

    by: Mechanism
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
    """The strongest containment that works here. Raises SandboxError if that is the weak one and it was not asked for.

    Root builds namespaces itself: under bubblewrap the job would stay the kernel's user root, for which no limit of processes holds.
    """
    reasons = []
    for offered, missing in ((bubblewrap, _no_bubblewrap), (namespaces, _no_namespaces)):
        reason = missing()
        if not reason:
            return offered(job, folder, owner)
        reasons.append(reason)
    if allow_weak:
        return weak(folder, owner)
    raise SandboxError(
        f"this host offers no sandbox ({'; '.join(reasons)}): install bubblewrap, allow user namespaces, or accept the weak sandbox"
    )


@cache
def _no_bubblewrap() -> str:
    """Why bubblewrap is not used; empty if it works."""
    program = _bwrap()
    if os.geteuid() == 0:
        return "bubblewrap is not used as root"
    if not program:
        return "bubblewrap is not installed"
    tried = _tried([program, *bubblewrap_options(), "--ro-bind", "/", "/", "--proc", "/proc", "/bin/true"])
    return f"bubblewrap does not work here: {tried}" if tried else ""


def _bwrap() -> str:
    return shutil.which("bwrap") or ""


@cache
def _no_namespaces() -> str:
    """Why no namespaces can be made; empty if they can."""
    tried = _tried([*PYTHON, str(INSIDE / "enter.py"), "--probe"])
    return f"namespaces cannot be made: {tried}" if tried else ""


def _tried(command: Sequence[str]) -> str:
    """What a command said when it failed; empty if it did not."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, env={}, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    said = (done.stdout + done.stderr).strip().splitlines()
    return (said[-1] if said else f"status {done.returncode}") if done.returncode else ""


def namespaces(job: Job, folder: Staged, owner: int) -> Contained:
    """Namespaces of our own making (see inside/enter.py)."""
    seen = view(job, folder, INSIDE)
    root = folder.folder / "root"
    root.mkdir()
    setting = {
        "root": str(root),
        "binds": [(bind.source, bind.target, bind.writable, bind.device) for bind in seen.binds],
        "links": seen.links,
        "shm": job.limits.memory_bytes // SHM_PART,
        "user": None if os.geteuid() else owner,
        "python": PYTHON,
        "confine": f"{INSIDE_TARGET}/confine.py",
    }
    return Contained(
        Mechanism.NAMESPACES,
        (*PYTHON, str(INSIDE / "enter.py")),
        *PLACES,
        _layers(*Layer),
        1,
        setting=setting,
        remarks=_exposed(job),
    )


def bubblewrap(job: Job, folder: Staged, owner: int) -> Contained:
    """The same by bubblewrap."""
    seen = view(job, folder, INSIDE)
    options = [*bubblewrap_options(), "--proc", "/proc", "--dev", "/dev", "--as-pid-1"]
    options += [word for where, to in seen.links for word in ("--symlink", to, where)]
    for bind in seen.binds:
        options += ["--dev-bind" if bind.device else "--bind" if bind.writable else "--ro-bind", bind.source, bind.target]
    options += ["--size", str(job.limits.memory_bytes // SHM_PART), "--tmpfs", "/dev/shm"]
    options += ["--remount-ro", "/dev", "--remount-ro", "/"]
    command = (_bwrap(), *options, "--", *PYTHON, f"{INSIDE_TARGET}/confine.py")
    return Contained(Mechanism.BUBBLEWRAP, command, *PLACES, _layers(*Layer), 1, remarks=_exposed(job))


def bubblewrap_options() -> list[str]:
    """What is common to trying and using it."""
    user = ["--uid", str(USER_INSIDE), "--gid", str(USER_INSIDE), "--hostname", "sandbox"]
    return ["--unshare-all", "--unshare-user", "--disable-userns", "--die-with-parent", "--cap-drop", "ALL", *user]


def _layers(*layers: Layer) -> tuple[Layer, ...]:
    """These, without the filter of system calls on a machine whose numbers are not known."""
    return tuple(layer for layer in layers if layer is not Layer.CALLS or platform.machine() in FILTERED)


def _exposed(job: Job) -> tuple[str, ...]:
    if not job.devices:
        return ()
    names = ", ".join(str(device) for device in job.devices)
    return (f"the job reached the GPU ({names}): its driver and the memory of whoever shares it are not protected",)


def weak(folder: Staged, owner: int) -> Contained:
    """Limits and a clean environment only: the job can read and write what its user can, and has the network."""
    root = os.geteuid() == 0
    return Contained(
        Mechanism.WEAK,
        (*PYTHON, str(INSIDE / "confine.py")),
        work=str(folder.work),
        home=str(folder.home),
        temporary=str(folder.temporary),
        layers=_layers(*((Layer.PRIVILEGES,) if root else ()), Layer.CALLS, Layer.LIMITS, Layer.ENVIRONMENT),
        generations=0,
        user=owner if root else None,
        remarks=("weak sandbox: the job could use the network and every file that its user can",),
    )
