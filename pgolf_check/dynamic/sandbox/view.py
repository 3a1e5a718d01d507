"""What a contained job sees of a file system: the host's system folders, what the job lists, and its private folders."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from pgolf_check.dynamic.sandbox.interpreter import interpreter_paths
from pgolf_check.dynamic.sandbox.job import Job, SandboxError
from pgolf_check.dynamic.sandbox.staging import DEPTH, Staged

ABOVE, HOME, TEMPORARY, INSIDE = "/job", "/home/job", "/tmp", "/.sandbox"
WORK = f"{ABOVE}/{DEPTH}"
SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
SETTINGS = ("/etc/ld.so.cache", "/etc/alternatives", "/etc/localtime")
CPUS = "/sys/devices/system/cpu"
"""Read by torch to count the cores."""
USER = 1000
OWN_SETTINGS = {
    "passwd": f"job:x:{USER}:{USER}:job:{HOME}:/bin/sh\n",
    "group": f"job:x:{USER}:\n",
    "hosts": "127.0.0.1 localhost sandbox\n::1 localhost\n",
    "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\n",
}


@dataclass(frozen=True, slots=True)
class Bind:
    """A file or folder of the host that is seen at `target`."""

    source: str
    target: str
    writable: bool = False
    device: bool = False


@dataclass(frozen=True, slots=True)
class View:
    """The binds in the order in which they are made, later ones upon earlier ones, and links (where, to what)."""

    binds: tuple[Bind, ...]
    links: tuple[tuple[str, str], ...]


def view(job: Job, folder: Staged, inside: Path) -> View:
    """The view of a job; `inside` is the folder of the scripts that start it.

    Raises SandboxError for a visible path that does not exist or that would hide a private folder, or a device that is none.
    """
    system = [path for path in SYSTEM if os.path.isdir(path) and not os.path.islink(path)]
    links = tuple((path, os.readlink(path)) for path in SYSTEM if os.path.islink(path))
    settings = [path for path in SETTINGS if os.path.exists(path)]
    cpus = ["/sys"] if job.devices and os.path.isdir("/sys") else [CPUS] if os.path.isdir(CPUS) else []
    own = _own_settings(folder)
    private = (
        Bind(str(folder.above), ABOVE, writable=True),
        Bind(str(folder.work), WORK, writable=True),
        *(Bind(str(folder.work / name), f"{WORK}/{name}") for name in folder.closed),
        Bind(str(folder.home), HOME, writable=True),
        Bind(str(folder.temporary), TEMPORARY, writable=True),
    )
    hosts = [_same(path) for path in (*system, *settings, *cpus)]
    return View((*hosts, *own, *private, *_visible(job, [*system, *cpus]), *_devices(job), Bind(str(inside), INSIDE)), links)


def _same(path: str) -> Bind:
    return Bind(os.path.realpath(path), path)


def _own_settings(folder: Staged) -> list[Bind]:
    made = folder.folder / "etc"
    made.mkdir()
    for name, text in OWN_SETTINGS.items():
        (made / name).write_text(text)
    return [Bind(str(made / name), f"/etc/{name}") for name in OWN_SETTINGS]


def _visible(job: Job, seen: list[str]) -> list[Bind]:
    """The interpreter that starts the job and the visible paths, without those that lie in a folder that is seen already."""
    found = []
    for path in sorted({*job.visible, *interpreter_paths()}):
        place = os.path.abspath(path)
        if not os.path.exists(place):
            raise SandboxError(f"{place}: this path is to be visible to the job, but does not exist")
        hidden = [own for own in (ABOVE, HOME, TEMPORARY, INSIDE, "/proc", "/dev", "/etc") if _within(own, place)]
        if hidden:
            raise SandboxError(f"{place}: cannot be made visible, it would hide {hidden[0]} of the sandbox; name folders below it")
        if not any(_within(place, above) for above in seen):
            seen.append(place)
            found.append(_same(place))
    return found


def _devices(job: Job) -> list[Bind]:
    for device in job.devices:
        if not (device.is_relative_to("/dev") and ".." not in device.parts and stat.S_ISCHR(_mode(device))):
            raise SandboxError(f"{device}: expected a device file under /dev")
    return [Bind(str(device), str(device), writable=True, device=True) for device in job.devices]


def _mode(path: Path) -> int:
    try:
        return path.stat().st_mode
    except OSError as error:
        raise SandboxError(f"{path}: {error.strerror}") from error


def _within(path: str, folder: str) -> bool:
    return Path(path).is_relative_to(folder)
