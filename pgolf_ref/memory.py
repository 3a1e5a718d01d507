"""The most memory that a process has held so far."""

from pathlib import Path

import torch

STATUS = Path("/proc/self/status")
MIB = 2**20


def peak_memory(device: torch.device) -> dict[str, int]:
    """Bytes by name: `allocated` and `reserved` on a GPU, `resident` of the whole process on a CPU."""
    if device.type == "cuda":
        return {"allocated": torch.cuda.max_memory_allocated(device), "reserved": torch.cuda.max_memory_reserved(device)}
    return {"resident": _resident()}


def memory_line(peaks: dict[str, int]) -> str:
    """In the words of the public logs: peak memory allocated: 41707 MiB reserved: 42050 MiB"""
    return "peak memory " + " ".join(f"{name}: {size // MIB} MiB" for name, size in peaks.items())


def _resident() -> int:
    """The kernel's own mark of this process: that of getrusage is inherited from a larger parent."""
    try:
        status = STATUS.read_text(encoding="ascii", errors="replace")
        return 1024 * int(status.partition("VmHWM:")[2].split()[0])
    except (OSError, ValueError, IndexError):
        import resource

        return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
