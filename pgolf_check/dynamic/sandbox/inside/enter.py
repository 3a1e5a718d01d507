"""Enters new namespaces, builds the job's view of a file system, gives up every privilege, and becomes `confine.py`.

Run as a script: `enter.py SPEC STATUS`, two open descriptors. SPEC is that of `confine.py`; its `setting` is {root, binds, links, shm,
user, python, confine}. With `--probe` it only tries, and prints the reason of a failure. Linux 5.12 or later.

Two user namespaces: the outer one, or root, owns all mounts; the inner one, in which the job runs, cannot change them, has no
capabilities, and may hold no further user namespaces.
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import signal
import socket
import struct
import sys
from typing import Any

NEW_NS, NEW_UTS, NEW_IPC, NEW_USER, NEW_PID, NEW_NET = 0x20000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000
MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_BIND, MS_REC, MS_PRIVATE = 2, 4, 8, 4096, 16384, 1 << 18
MNT_DETACH = 2
SYS_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}
SYS_MOUNT_SETATTR = 442
AT_FDCWD, AT_RECURSIVE = -100, 0x8000
ATTR_RDONLY, ATTR_NOSUID, ATTR_NODEV = 1, 2, 4
PR_SET_PDEATHSIG, PR_SET_DUMPABLE = 1, 4
SIOCSIFFLAGS, IFF_UP = 0x8914, 1
OLD = "/.old"
NOBODY, JOB_USER = 65534, 1000
NODES = ("null", "zero", "full", "random", "urandom")
libc = ctypes.CDLL(None, use_errno=True)


def main() -> int:
    if sys.argv[1:] == ["--probe"]:
        return _probe()
    spec_descriptor, status_descriptor = int(sys.argv[1]), int(sys.argv[2])
    with open(spec_descriptor, "rb", closefd=False) as stream:
        spec = json.load(stream)
    os.lseek(spec_descriptor, 0, os.SEEK_SET)
    try:
        _call(libc.prctl, PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        _separate()
        child = os.fork()
        if child == 0:
            _become_first(spec, [str(spec_descriptor), str(status_descriptor)])
    except OSError as error:
        os.write(status_descriptor, json.dumps({"error": f"the sandbox could not be set up: {error}"}).encode())
        return 1
    os.close(status_descriptor)
    os.waitpid(child, 0)
    return 0


def _become_first(spec: dict[str, Any], descriptors: list[str]) -> None:
    """As process 1 of the new namespace: build the view, give up privileges, go on as confine.py; never returns."""
    setting = spec["setting"]
    try:
        _call(libc.prctl, PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        _raise_loopback()
        socket.sethostname("sandbox")
        _build(setting)
        _give_up(setting["user"])
        _call(libc.prctl, PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        os.chdir("/")
        os.execv(setting["python"][0], [*setting["python"], setting["confine"], *descriptors])
    except OSError as error:
        os.write(int(descriptors[1]), json.dumps({"error": f"the sandbox could not be set up: {error}"}).encode())
    finally:
        os._exit(1)


def _separate() -> None:
    """New namespaces of all kinds for the children; a user namespace first unless we are root."""
    user, group = os.geteuid(), os.getegid()
    if user != 0:
        _call(libc.unshare, NEW_USER)
        _map(0, user, group)
    _call(libc.unshare, NEW_NS | NEW_UTS | NEW_IPC | NEW_PID | NEW_NET)
    _mount("none", "/", None, MS_REC | MS_PRIVATE)


def _map(own: int, user: int, group: int) -> None:
    """This user and group are known as `own` in the user namespace that we have just made."""
    for name, text in (("setgroups", "deny"), ("uid_map", f"{own} {user} 1"), ("gid_map", f"{own} {group} 1")):
        with open(f"/proc/self/{name}", "w") as stream:
            stream.write(text)


def _give_up(user: int | None) -> None:
    """A user namespace of its own, without privileges over what is around it, and without further ones below it.

    `user` is whom root becomes for that; None if we are root in a user namespace only.
    """
    if user is not None:
        os.setgroups([])
        os.setresgid(user, user, user)
        os.setresuid(user, user, user)
        _call(libc.prctl, PR_SET_DUMPABLE, 1, 0, 0, 0)
    outside = os.geteuid(), os.getegid()
    _call(libc.unshare, NEW_USER)
    _map(JOB_USER, *outside)
    with open("/proc/sys/user/max_user_namespaces", "w") as stream:
        stream.write("0")


def _build(setting: dict[str, Any]) -> None:
    """The new root with its binds; the old one is gone at the end."""
    root = setting["root"]
    _mount("tmpfs", root, "tmpfs", MS_NOSUID | MS_NODEV, "size=4m,nr_inodes=4096,mode=755")
    os.mkdir(root + OLD, 0o700)
    _call(libc.syscall, SYS_PIVOT_ROOT[os.uname().machine], root.encode(), (root + OLD).encode())
    os.chdir("/")
    for where, to in setting["links"]:
        os.symlink(to, where)
    os.mkdir("/proc")
    _mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)
    _devices(setting["shm"])
    for source, target, writable, device in setting["binds"]:
        _bind(OLD + source, target, writable=writable, device=device)
    _call(libc.umount2, OLD.encode(), MNT_DETACH)
    os.rmdir(OLD)
    _restrict("/", ATTR_RDONLY, recursive=False)


def _devices(shm: int) -> None:
    os.mkdir("/dev", 0o755)
    for node in NODES:
        _bind(f"{OLD}/dev/{node}", f"/dev/{node}", writable=True, device=True)
    for name, target in (("fd", "/proc/self/fd"), ("stdin", "fd/0"), ("stdout", "fd/1"), ("stderr", "fd/2")):
        os.symlink(target, f"/dev/{name}")
    os.mkdir("/dev/shm")
    _mount("tmpfs", "/dev/shm", "tmpfs", MS_NOSUID | MS_NODEV, f"size={shm},nr_inodes=4096,mode=1777")


def _bind(source: str, target: str, *, writable: bool, device: bool) -> None:
    if os.path.isdir(source):
        os.makedirs(target, exist_ok=True)
    elif not os.path.lexists(target):
        os.makedirs(os.path.dirname(target), exist_ok=True)
        os.close(os.open(target, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC))
    _mount(source, target, None, MS_BIND | MS_REC)
    _restrict(target, ATTR_NOSUID | (0 if writable else ATTR_RDONLY) | (0 if device else ATTR_NODEV), recursive=True)


def _restrict(path: str, attributes: int, *, recursive: bool) -> None:
    """mount_setattr(2): unlike a remount it keeps what is set already, and reaches the mounts below."""
    given = struct.pack("=QQQQ", attributes, 0, 0, 0)
    _call(libc.syscall, SYS_MOUNT_SETATTR, AT_FDCWD, path.encode(), AT_RECURSIVE if recursive else 0, given, len(given))


def _mount(source: str, target: str, kind: str | None, flags: int, data: str | None = None) -> None:
    encoded = [None if text is None else text.encode() for text in (source, target, kind, data)]
    try:
        _call(libc.mount, encoded[0], encoded[1], encoded[2], ctypes.c_ulong(flags), encoded[3])
    except OSError as error:
        raise OSError(error.errno, f"{error.strerror} (mount of {source} at {target})") from error


def _raise_loopback() -> None:
    """The only interface of the new network namespace, so that processes of a job reach each other."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sh22x", b"lo", IFF_UP))


def _call(function: Any, *arguments: Any) -> None:
    if function(*arguments) == -1:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _probe() -> int:
    """Whether all of it works here, with an empty view."""
    try:
        user = None if os.geteuid() else NOBODY
        _separate()
        child = os.fork()
        if child == 0:
            _probe_first(user)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    except OSError as error:
        print(error)
        return 1


def _probe_first(user: int | None) -> None:
    try:
        _raise_loopback()
        _mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)
        _restrict("/proc", ATTR_NOSUID, recursive=False)
        _give_up(user)
    except OSError as error:
        print(error, flush=True)
        os._exit(1)
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main())
