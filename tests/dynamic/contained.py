"""For the tests of the sandbox: runs a Python source in each way of containing it, as root and as an ordinary user."""

from __future__ import annotations

import functools
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pgolf_check.dynamic.sandbox import Limits

SANDBOX = Path(sys.modules["pgolf_check.dynamic.sandbox"].__file__ or "").parent
NOBODY = 65534
PYTHON = "/usr/bin/python3"
SMALL = Limits(wall_s=20, cpu_s=20, memory_bytes=192 << 20, processes=24, file_bytes=8 << 20, output_bytes=1 << 16, open_files=64)
MECHANISMS = "namespaces", "bubblewrap", "weak sandbox"


@dataclass(frozen=True)
class Way:
    """A user to be ("root", "ordinary") and a mechanism to use."""

    user: str
    by: str

    def __str__(self) -> str:
        return f"{self.user}-{self.by.partition(' ')[0]}"

    def missing(self, checkout: Path) -> str:
        """Why this host cannot test it; empty if it can."""
        if self.user == "root" and os.geteuid() != 0:
            return "not root"
        if self.by == "bubblewrap" and self.user == "root":
            return "bubblewrap is not used as root"
        if self.by == "bubblewrap" and shutil.which("bwrap") is None:
            return "bubblewrap is not installed"
        tried = _tried(self, checkout)
        return f"this host does not offer it: {tried}" if tried else ""

    def run(
        self,
        checkout: Path,
        source: str,
        limits: Limits = SMALL,
        *,
        files: Mapping[str, str] | None = None,
        out: str = ".",
        variables: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        """The fields of the outcome, bytes as latin-1 text; AssertionError if there is none."""
        given = {
            "argv": [PYTHON, "-I", "-S", "-c", source], "files": files or {}, "limits": asdict(limits), "out": out, "by": self.by,
        }  # fmt: skip
        environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(checkout), "TMPDIR": str(checkout.parent), **(variables or {})}
        other = os.geteuid() == 0 and self.user == "ordinary"
        switch: dict[str, Any] = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if other else {}
        done = subprocess.run(
            [PYTHON, "-s", str(checkout / "ordinary.py")], input=json.dumps(given), capture_output=True, text=True,
            env=environment, cwd="/", timeout=60, **switch,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        outcome: dict[str, Any] = json.loads(done.stdout)
        return outcome


WAYS = [Way(user, by) for user in ("root", "ordinary") for by in MECHANISMS]


def checkout_for_anyone(folder: Path) -> Path:
    """A copy of the sandbox package that every user can read, in a folder in which every user can write."""
    checkout = folder / "checkout"
    package = checkout / "pgolf_check"
    shutil.copytree(SANDBOX, package / "dynamic" / "sandbox", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("__init__.py", "errors.py", "dynamic/__init__.py"):
        shutil.copy(SANDBOX.parents[1] / name, package / name)
    shutil.copy(Path(__file__).parent / "ordinary.py", checkout)
    for path in (*checkout.rglob("*"), checkout):
        path.chmod(0o755)
    folder.chmod(0o1777)
    return checkout


@functools.cache
def _tried(way: Way, checkout: Path) -> str:
    try:
        outcome = way.run(checkout, "print('works')")
    except (AssertionError, OSError) as error:
        return str(error).strip().splitlines()[-1]
    return str(outcome.get("error") or ("" if outcome["stdout"] == "works\n" else outcome))
