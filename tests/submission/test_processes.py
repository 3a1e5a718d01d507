"""Which sources may start a process."""

from __future__ import annotations

import pytest

from pgolf_check.submission.processes import may_start

HARMLESS = (
    "import subprocess\n",
    "import io,os,subprocess,sys,numpy as np\nsubprocess.run(['nvidia-smi'], stdout=subprocess.PIPE, check=False)",
    'import subprocess\nprint(subprocess.run(\n    ["nvidia-smi", "-L"],\n    stderr=subprocess.DEVNULL,\n))',
    'subprocess.run(["lrzip", "-d", path], check=True)',
)
STARTING = (
    "import subprocess as run\n",
    "import os, subprocess as sp, sys\n",
    "from subprocess import run\n",
    "import subprocess; subprocess.run(code)",
    "import subprocess\nsubprocess.run([sys.executable, '-c', code])",
    'import subprocess\nsubprocess.run(["nvidia-smi" if quiet else sys.executable, "-c", code])',
    'import subprocess\nsubprocess.Popen(["python3", name])',
    'subprocess.run("nvidia-smi; python3 x.py", shell=True)',
    "start = getattr(subprocess, 'run')",
    "os.system('python3 x.py')",
    "os.execv(sys.executable, arguments)",
    "mp.get_context('spawn')",
)


@pytest.mark.parametrize("source", HARMLESS)
def test_the_tools_of_the_machine_are_no_other_program(source: str) -> None:
    assert not may_start(source)


@pytest.mark.parametrize("source", STARTING)
def test_everything_else_may_be(source: str) -> None:
    assert may_start(source)
    assert may_start(HARMLESS[1] + "\n" + source)
