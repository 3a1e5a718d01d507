"""A runner without a sandbox, for scripts of our own."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from pgolf_check.dynamic.harness import trial


def run(command: Sequence[str], folder: Path, variables: Mapping[str, str]) -> trial.Ended:
    """As the sandbox runs a command, at most two minutes."""
    own = {"PATH": os.defpath, "HOME": str(folder), "TMPDIR": str(folder)}
    done = subprocess.run(command, cwd=folder, env={**own, **variables}, capture_output=True, text=True, timeout=120)
    traced = folder / trial.TRACE
    return trial.Ended(done.returncode, done.stdout, done.stderr, traced.read_bytes() if traced.exists() else b"")
