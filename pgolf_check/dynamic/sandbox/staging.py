"""The folder of a job on the host: the listed files as copies, hashed as they are copied, and its removal whatever it holds then."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pgolf_check.dynamic.sandbox.job import Job, SandboxError

CHUNK = 1 << 20
DEPTH = PurePosixPath("records/track/submission")
"""A job lies as deep as a submission in its repository: scripts count the folders above their own, and write there."""


@dataclass(frozen=True, slots=True)
class Staged:
    """`work` is the folder of the job, `home`, `temporary` and `above` are private to it; `hashes` are of the listed files.

    `above` holds the folders above that of the job, as the job sees them: `work` itself lies where the job cannot move what is above it.
    """

    folder: Path
    work: Path
    above: Path
    home: Path
    temporary: Path
    hashes: Mapping[str, str]

    @property
    def closed(self) -> tuple[str, ...]:
        """The listed files at the top of `work` and its subfolders that hold listed files: what is read-only."""
        return tuple(sorted({PurePosixPath(name).parts[0] for name in self.hashes}))


@contextmanager
def staged(job: Job, owner: int) -> Iterator[Staged]:
    """Lay a job out in a new folder that user `owner` may write to, and remove it afterwards.

    Raises SandboxError for a path that leads out of the folder, or a listed file that is no regular file or cannot be read.
    """
    folder = Path(tempfile.mkdtemp(prefix="pgolf-sandbox-"))
    try:
        folder.chmod(0o711)
        work, home, temporary, above = (folder / name for name in ("work", "home", "tmp", "above"))
        for own in (work, home, temporary, above):
            own.mkdir(mode=0o700)
            _give(own, owner)
        hashes = {name: _lay(work, name, source) for name, source in job.files.items()}
        for inside in (job.cwd, job.out):
            _make(work, relative(inside), owner)
        _make(above, DEPTH, owner)
        yield Staged(folder, work, above, home, temporary, hashes)
    finally:
        remove(folder)


def relative(name: str) -> PurePosixPath:
    """A path within the folder of a job. Raises SandboxError if it leads out of it."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\0" in name:
        raise SandboxError(f"{name!r}: expected a relative path within the folder of the job")
    return path


def _lay(work: Path, name: str, source: Path | bytes) -> str:
    path = relative(name)
    if not path.parts:
        raise SandboxError(f"{name!r}: expected the name of a file")
    target = work / path
    target.parent.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    try:
        with open(target, "xb") as copy:
            for chunk in _chunks(source):
                digest.update(chunk)
                copy.write(chunk)
    except FileExistsError as error:
        raise SandboxError(f"{name}: listed twice among the files of the job") from error
    target.chmod(0o444)
    return digest.hexdigest()


def _chunks(source: Path | bytes) -> Iterator[bytes]:
    if isinstance(source, bytes):
        yield source
        return
    try:
        descriptor = os.open(source, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(descriptor, "rb") as original:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise SandboxError(f"{source}: expected a regular file")
            while chunk := original.read(CHUNK):
                yield chunk
    except OSError as error:
        raise SandboxError(f"{source}: cannot be read: {error.strerror}") from error


def _make(work: Path, path: PurePosixPath, owner: int) -> None:
    folder = work
    for part in path.parts:
        folder = folder / part
        if not folder.exists():
            folder.mkdir(mode=0o700)
            _give(folder, owner)


def _give(path: Path, owner: int) -> None:
    if os.geteuid() == 0:
        os.chown(path, owner, owner)


def remove(folder: Path) -> None:
    """Remove a folder that no process uses any more, however deep it is and whatever modes it has; links are not followed.

    Folders within folders are moved up first, so that no path becomes long.
    """
    moved = 0
    pending = [folder]
    while pending:
        current = pending.pop()
        os.chmod(current, 0o700)
        with os.scandir(current) as entries:
            inner = [(entry.path, entry.is_dir(follow_symlinks=False)) for entry in entries]
        for path, is_folder in inner:
            if not is_folder:
                os.unlink(path)
                continue
            os.chmod(path, 0o700)
            if current != folder:
                moved += 1
                path_above = folder / f"moved-{moved}-{os.urandom(8).hex()}"
                os.rename(path, path_above)
                path = str(path_above)
            pending.append(Path(path))
        if current != folder:
            os.rmdir(current)
    shutil.rmtree(folder)
