"""For the tests of the sandbox: runs Python sources in each way of containing them, as root and as an ordinary user."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from pgolf_check.dynamic.sandbox import Limits

SANDBOX = Path(sys.modules["pgolf_check.dynamic.sandbox"].__file__ or "").parent
NOBODY = 65534
PYTHON = "/usr/bin/python3"
SECRET = "a secret of the host"
SMALL = Limits(wall_s=20, cpu_s=20, memory_bytes=192 << 20, processes=24, file_bytes=8 << 20, output_bytes=1 << 16, open_files=64)
MECHANISMS = "namespaces", "bubblewrap", "weak sandbox"


@dataclass(frozen=True)
class Way:
    """A user to be ("root", "ordinary") and a mechanism to use."""

    user: str
    by: str

    def __str__(self) -> str:
        return f"{self.user}-{self.by.partition(' ')[0]}"

    @property
    def switch(self) -> dict[str, Any]:
        """For subprocess: how we become that user."""
        other = os.geteuid() == 0 and self.user == "ordinary"
        return {"user": NOBODY, "group": NOBODY, "extra_groups": []} if other else {}


WAYS = [Way(user, by) for user in ("root", "ordinary") for by in MECHANISMS]


@dataclass
class Runners:
    """A process for each way that runs jobs; each job's folder is made in `folder`, where `checkout` is all that there is else."""

    folder: Path
    running: dict[Way, subprocess.Popen[str]] = field(default_factory=dict)
    reasons: dict[Way, str] = field(default_factory=dict)

    @property
    def checkout(self) -> Path:
        return self.folder / "checkout"

    def missing(self, way: Way) -> str:
        """Why this host cannot test a way; empty if it can."""
        if way not in self.reasons:
            self.reasons[way] = self._missing(way)
        return self.reasons[way]

    def _missing(self, way: Way) -> str:
        if way.user == "root" and os.geteuid() != 0:
            return "not root"
        if way.by == "bubblewrap" and way.user == "root":
            return "bubblewrap is not used as root"
        if way.by == "bubblewrap" and shutil.which("bwrap") is None:
            return "bubblewrap is not installed"
        if not os.path.exists(PYTHON):
            return f"there is no {PYTHON}, which every user could run"
        outcome = self.run(way, "print('works')")
        return "" if outcome.get("stdout") == "works\n" else f"this host does not offer it: {outcome}"

    def start(self, way: Way) -> subprocess.Popen[str]:
        """Another process that runs jobs that way."""
        environment = {
            "PATH": os.environ["PATH"], "PYTHONPATH": str(self.checkout), "TMPDIR": str(self.folder), "TOKEN": SECRET,
        }  # fmt: skip
        return subprocess.Popen(
            [PYTHON, "-s", str(self.checkout / "ordinary.py")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env=environment, cwd="/", **way.switch,
        )  # fmt: skip

    def run(
        self, way: Way, source: str, limits: Limits = SMALL, *, files: Mapping[str, str] | None = None, out: str = "."
    ) -> dict[str, Any]:
        """The fields of the outcome, bytes as latin-1 text; {"error": text} if the job could not be started."""
        if way not in self.running:
            self.running[way] = self.start(way)
        ask(self.running[way], way, source, limits, files=files, out=out)
        answer = self.running[way].stdout
        assert answer is not None
        outcome: dict[str, Any] = json.loads(answer.readline() or '{"error": "the runner ended"}')
        return outcome

    def close(self) -> None:
        for process in self.running.values():
            with process:
                assert process.stdin is not None
                process.stdin.close()


def ask(
    runner: subprocess.Popen[str],
    way: Way,
    source: str,
    limits: Limits = SMALL,
    *,
    files: Mapping[str, str] | None = None,
    out: str = ".",
) -> None:
    """Give a source to a runner."""
    given = {
        "argv": [PYTHON, "-I", "-S", "-c", source], "files": files or {}, "limits": asdict(limits), "out": out, "by": way.by,
    }  # fmt: skip
    assert runner.stdin is not None
    runner.stdin.write(json.dumps(given) + "\n")
    runner.stdin.flush()


def runners_in(folder: Path) -> Runners:
    """Runners with a copy of the sandbox package that every user can read, in a folder in which every user can write."""
    package = folder / "checkout" / "pgolf_check"
    shutil.copytree(SANDBOX, package / "dynamic" / "sandbox", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("__init__.py", "errors.py", "dynamic/__init__.py"):
        shutil.copy(SANDBOX.parents[1] / name, package / name)
    shutil.copy(Path(__file__).parent / "ordinary.py", folder / "checkout")
    for path in (folder / "checkout").rglob("*"):
        path.chmod(0o755)
    (folder / "checkout").chmod(0o755)
    folder.chmod(0o1777)
    return Runners(folder)
