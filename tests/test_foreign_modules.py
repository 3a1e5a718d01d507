"""A module that lies in the working directory is never imported: a reviewer may stand in the submission that is judged."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from fixtures import BASE, ROOT

MODULES = ("multiprocessing", "signal", "socket", "random", "pickle", "numpy", "libcst", "brotli", "jinja2", "jsonschema", "rich")


@pytest.mark.parametrize("start", ["script", "module"])
def test_nothing_of_the_working_directory_is_imported(tmp_path: Path, start: str) -> None:
    mark, here = tmp_path / "imported", tmp_path / "submission"
    here.mkdir()
    for file in BASE.iterdir():
        (here / file.name).write_bytes(file.read_bytes())
    for name in MODULES:
        (here / f"{name}.py").write_text(f"open({str(mark)!r}, 'a').write({name!r})\n", encoding="utf-8")
    script = tmp_path / "pgolf-check"
    script.write_text(
        "import sys\nfrom pgolf_check.cli import main\nif __name__ == '__main__':\n    sys.exit(main())\n", encoding="utf-8"
    )
    command = [str(script)] if start == "script" else ["-m", "pgolf_check"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT.parent)}
    environment.pop("PYTHONSAFEPATH", None)
    done = subprocess.run(
        [sys.executable, *command, "check", ".", "--format", "html"], cwd=here, env=environment, capture_output=True, check=False
    )
    assert not mark.exists(), mark.read_text(encoding="utf-8")
    assert b"<h1>pgolf-check: " in done.stdout, done.stderr
