"""The paths of this host that a job needs to run Python as we do, and the devices of a GPU."""

from __future__ import annotations

import sys
import sysconfig
from pathlib import Path


def interpreter_paths() -> tuple[Path, ...]:
    """The interpreter that runs us, its standard library and its installed packages: visible to every job."""
    names = ("stdlib", "platstdlib", "purelib", "platlib")
    places = [sys.prefix, sys.base_prefix, *(sysconfig.get_path(name) for name in names)]
    real = {Path(sys.executable).resolve().parent, *(Path(place) for place in places if place)}
    return tuple(sorted(path for path in real if not any(path != other and path.is_relative_to(other) for other in real)))


def gpu_devices(root: Path = Path("/dev")) -> tuple[Path, ...]:
    """The device files of the GPUs of this host, for `Job.devices`; none without a GPU.

    They expose the driver's whole interface, and with it the memory of whoever shares the GPU: code that exploits a fault of the
    driver leaves the sandbox.
    """
    return tuple(sorted(path for path in root.glob("nvidia*") if path.is_char_device()))
