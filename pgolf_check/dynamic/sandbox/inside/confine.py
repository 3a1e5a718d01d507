"""The last thing before a job: sets its limits, starts it, reaps what it leaves, and reports how it ended.

Run as a script: `confine.py SPEC STATUS`, two open descriptors. SPEC has a JSON object {argv, environment, cwd, limits, user};
on STATUS one JSON line is written: {"status": n, "cpu": seconds, "memory": bytes} or {"error": text}. It is process 1 of the job's process
namespace where there is one; else it adopts what the job leaves behind. It cannot be traced or read by the job.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import resource
import signal
import struct
import sys
from typing import Any

PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS = 1, 4, 36, 38
PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 22, 2
FAILED = 125
SHUT = {
    "x86_64": (
        0xC000003E,
        "29 68 240 319 447"  # memory that belongs to no process: shmget msgget mq_open memfd_create memfd_secret
        " 248 249 250 298 321 323 425 426 427"  # add_key request_key keyctl perf_event_open bpf userfaultfd io_uring_*
        " 155 161 165 166 272 304 308 428 429 430 431 432 433 442"  # mounts, namespaces, open_by_handle_at
        " 167 168 169 175 176 246 313 320",  # swapon swapoff reboot modules kexec
    ),
    "aarch64": (
        0xC00000B7,
        "194 186 180 279 447 217 218 219 241 280 282 425 426 427 41 51 40 39 97 265 268 428 429 430 431 432 433 442"
        " 224 225 142 105 106 104 273 294",
    ),
}
"""By machine: its number for seccomp, and the system calls (by number) that answer ENOSYS, as on a kernel without them."""
libc = ctypes.CDLL(None, use_errno=True)


def main() -> int:
    spec_descriptor, status_descriptor = int(sys.argv[1]), int(sys.argv[2])
    for descriptor in (spec_descriptor, status_descriptor):
        os.set_inheritable(descriptor, False)
    with open(spec_descriptor, "rb") as stream:
        spec = json.load(stream)
    if os.getpid() == 1:
        _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    else:
        signal.signal(signal.SIGUSR1, _orphaned)
        _prctl(PR_SET_PDEATHSIG, signal.SIGUSR1)
    with open("/proc/self/oom_score_adj", "w") as stream:
        stream.write("1000")  # where memory ends, the job goes before anything else
    _prctl(PR_SET_DUMPABLE, 0)
    _prctl(PR_SET_CHILD_SUBREAPER, 1)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    try:
        report = _supervise(spec)
    except OSError as error:
        report = {"error": f"the command could not be started: {error}"}
    os.write(status_descriptor, json.dumps(report).encode() + b"\n")
    return 0


def _orphaned(*_: object) -> None:
    """Whoever started us is gone: so is the job. The kernel sees to that where we are process 1."""
    while _kill_descendants():
        _reap_all()
    os._exit(FAILED)


def _supervise(spec: dict[str, Any]) -> dict[str, Any]:
    """Run the job to its end and kill what it has left running."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _become(spec, writing)
    os.close(writing)
    with open(reading, "rb") as stream:
        failure = stream.read().decode("utf-8", "replace")
    status = _reaped(child)
    while _kill_descendants():
        _reap_all()
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    if failure:
        return {"error": failure}
    return {"status": status, "cpu": usage.ru_utime + usage.ru_stime, "memory": usage.ru_maxrss * 1024}


def _become(spec: dict[str, Any], failure: int) -> None:
    """Turn this process into the job; never returns. `failure` is closed by a successful start, else it gets the reason."""
    try:
        os.setsid()
        os.chdir(spec["cwd"])
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGPIPE, signal.SIGXFSZ):
            signal.signal(number, signal.SIG_DFL)
        _limit(spec["limits"])
        if spec["user"] is not None:
            os.setgroups([])
            os.setresgid(*[spec["user"]] * 3)
            os.setresuid(*[spec["user"]] * 3)
        _prctl(PR_SET_NO_NEW_PRIVS, 1)
        _shut(os.uname().machine)
        os.execve(spec["argv"][0], spec["argv"], spec["environment"])
    except (OSError, ValueError) as error:
        os.write(failure, f"{spec['argv'][0]}: {error}".encode("utf-8", "replace"))
    finally:
        os._exit(FAILED)


def _limit(limits: dict[str, float]) -> None:
    cpu = max(1, int(limits["cpu_s"] + 0.999))
    wanted = {
        resource.RLIMIT_CORE: (0, 0),
        resource.RLIMIT_CPU: (cpu, cpu + 1),
        resource.RLIMIT_DATA: (int(limits["memory_bytes"]),) * 2,
        resource.RLIMIT_FSIZE: (int(limits["file_bytes"]),) * 2,
        resource.RLIMIT_NOFILE: (int(limits["open_files"]),) * 2,
        resource.RLIMIT_NPROC: (int(limits["processes"]),) * 2,
    }
    for kind, (soft, hard) in wanted.items():
        most = resource.getrlimit(kind)[1]
        if most != resource.RLIM_INFINITY:
            soft, hard = min(soft, most), min(hard, most)
        resource.setrlimit(kind, (soft, hard))


def _shut(machine: str) -> None:
    """Install the filter of system calls, where we know the machine's; see seccomp(2) and struct sock_filter {code, jt, jf, k}."""
    if machine not in SHUT:
        return
    number, listed = SHUT[machine]
    load, equal, at_least, answer = 0x20, 0x15, 0x35, 0x06
    kill, refuse, allow = 0x80000000, 0x00050000 | errno.ENOSYS, 0x7FFF0000
    calls = [int(call) for call in listed.split()]
    steps = [(load, 0, 0, 4), (equal, 1, 0, number), (answer, 0, 0, kill), (load, 0, 0, 0)]
    steps += [(at_least, len(calls) + 1, 0, 0x40000000)]  # the calls of x32
    steps += [(equal, len(calls) - index, 0, call) for index, call in enumerate(calls)]
    steps += [(answer, 0, 0, allow), (answer, 0, 0, refuse)]
    program = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *step) for step in steps))
    header = struct.pack("@HP", len(steps), ctypes.addressof(program))
    if libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, header, 0, 0):
        raise OSError(ctypes.get_errno(), f"seccomp: {os.strerror(ctypes.get_errno())}")


def _reaped(child: int) -> int:
    """Wait for the job itself; other orphans are reaped on the way. The exit status, or -n after signal n."""
    while True:
        ended, status = os.wait()
        if ended == child:
            return os.waitstatus_to_exitcode(status)


def _kill_descendants() -> bool:
    """Kill every process that is left below this one; whether there was any."""
    if os.getpid() == 1:
        try:
            os.kill(-1, signal.SIGKILL)
        except ProcessLookupError:
            return False
        return True
    victims = _descendants()
    for victim in victims:
        try:
            os.kill(victim, signal.SIGKILL)
        except ProcessLookupError:
            continue
    return bool(victims)


def _descendants() -> list[int]:
    children: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", "rb") as stream:
                    parent = int(stream.read().rpartition(b")")[2].split()[1])
            except (OSError, IndexError, ValueError):
                continue
            children.setdefault(parent, []).append(int(name))
    found, pending = list[int](), [os.getpid()]
    while pending:
        below = children.get(pending.pop(), [])
        found.extend(below)
        pending.extend(below)
    return found


def _reap_all() -> None:
    try:
        while True:
            os.wait()
    except ChildProcessError:
        return


def _prctl(option: int, value: int) -> None:
    if libc.prctl(option, value, 0, 0, 0):
        raise OSError(ctypes.get_errno(), f"prctl({option}): {os.strerror(ctypes.get_errno())}")


if __name__ == "__main__":
    sys.exit(main())
