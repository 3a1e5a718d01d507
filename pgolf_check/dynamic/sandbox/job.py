"""What is to be run in a sandbox, under which limits, and what became of it: value objects only."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pgolf_check.errors import UserError

MIB = 1 << 20


class SandboxError(UserError):
    """The sandbox could not be set up here: what is missing and what to do."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a job may use. Seconds; bytes; `processes` counts threads, too.

    `memory_bytes` holds for each process (data) and for all of them together (resident), `cpu_s` likewise; `file_bytes` for each file
    and for all that is written; `output_bytes` for standard output and standard error, each; `returned_bytes` for the content of the
    results.
    """

    wall_s: float = 600.0
    cpu_s: float = 1200.0
    memory_bytes: int = 8192 * MIB
    processes: int = 256
    file_bytes: int = 2048 * MIB
    output_bytes: int = 32 * MIB
    open_files: int = 1024
    returned_bytes: int = 256 * MIB

    def __post_init__(self) -> None:
        given = {name: getattr(self, name) for name in self.__slots__}
        wrong = [name for name, value in given.items() if not value > 0]
        if wrong:
            raise ValueError(f"limits must be above 0: {', '.join(f'{name}={given[name]}' for name in wrong)}")


@dataclass(frozen=True, slots=True)
class Job:
    """A command, all that it may see, and what it may use.

    The job runs in a private folder, in which `files` lie (relative path -> content, or a regular file that is copied): the listed
    ones and the subfolders that hold them are read-only, beside them the job may write. `cwd` and `out` are relative to that folder;
    what is written under `out` and is not listed is the result. `argv[0]` is an absolute path. `visible` are absolute paths of
    the host, folders in whole, that are seen read-only in their own place, as are the system's programs and our interpreter. `environment` is the
    whole environment but for HOME, TMPDIR, USER, and PATH unless it is given. `devices` are device files (see `gpu_devices`).
    """

    argv: tuple[str, ...]
    files: Mapping[str, Path | bytes] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    limits: Limits = Limits()
    cwd: str = "."
    out: str = "."
    devices: tuple[Path, ...] = ()
    visible: tuple[Path, ...] = ()


class Ending(enum.StrEnum):
    """How a job ended: by itself, or killed with all its processes for a limit."""

    EXITED = "exited"
    WALL = "killed: wall-clock limit"
    CPU = "killed: CPU limit"
    MEMORY = "killed: memory limit"
    PROCESSES = "killed: limit of processes"
    FILES = "killed: limit of files"
    OUTPUT = "killed: limit of output"
    LOST = "killed by something else"


class Mechanism(enum.StrEnum):
    """How the layers are made."""

    BUBBLEWRAP = "bubblewrap"
    NAMESPACES = "namespaces"
    WEAK = "weak sandbox"


class Layer(enum.StrEnum):
    """What stands between a job and the host; `SandboxError` and reports name those that are missing."""

    NETWORK = "no network"
    FILES = "only the listed files, read-only"
    PROCESSES = "its own processes alone, killed together"
    IPC = "no shared memory or queues of the host"
    PRIVILEGES = "no privileges, and none to be had"
    CALLS = "system calls that it has no need of are shut"
    LIMITS = "limits on memory, CPU, processes, files and output"
    ENVIRONMENT = "a listed environment, private home and temporary folder"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a job. Outputs and results are the job's own: to be read as hostile.

    `status` is the exit status, -n after signal n, None if the job was killed. `results` are the regular files under `out`, at most
    `returned_bytes` in all, and `sizes` those of all of them; `left_out` names what else was there, with the reason. `files` are the SHA-256 of the listed files. `by` is
    what contained it.
    `memory_peak` is in bytes: the largest sum of the resident memory that was seen, or of one process if that is more.
    """

    status: int | None
    ended: Ending
    stdout: bytes
    stderr: bytes
    results: Mapping[str, bytes]
    sizes: Mapping[str, int]
    left_out: tuple[str, ...]
    files: Mapping[str, str]
    by: Mechanism
    layers: tuple[Layer, ...]
    missing: tuple[Layer, ...]
    remarks: tuple[str, ...]
    wall_s: float
    cpu_s: float
    memory_peak: int

    @property
    def succeeded(self) -> bool:
        return self.ended is Ending.EXITED and self.status == 0
