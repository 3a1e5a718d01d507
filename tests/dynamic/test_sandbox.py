"""The sandbox: what a job gets, what it leaves, and what becomes of hostile ones."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path

import pytest

from pgolf_check.dynamic.sandbox import Ending, Job, Limits, Outcome, SandboxError, run

PYTHON = "/usr/bin/python3"
SMALL = Limits(wall_s=10, cpu_s=10, memory_bytes=256 << 20, processes=32, file_bytes=8 << 20, output_bytes=1 << 16, open_files=64)


def python(source: str, limits: Limits = SMALL, **parts: object) -> Outcome:
    return run(Job((PYTHON, "-I", "-c", source), limits=limits, **parts), allow_weak=True)  # type: ignore[arg-type]


def test_a_job_sees_its_files_and_its_environment_and_leaves_results(tmp_path: Path) -> None:
    (tmp_path / "given").write_bytes(b"from a path")
    source = "import os; open('run/new', 'w').write(open('a/b').read() + open('c').read()); print(os.environ['WORD'])"
    outcome = python(source, files={"a/b": tmp_path / "given", "c": b", from bytes"}, environment={"WORD": "told"}, out="run")
    assert outcome.succeeded, outcome.stderr
    assert outcome.stdout == b"told\n"
    assert outcome.results == {"new": b"from a path, from bytes"}
    assert outcome.files["a/b"] == hashlib.sha256(b"from a path").hexdigest()


def test_of_what_is_too_much_to_read_back_the_size_is_told() -> None:
    limits = dataclasses.replace(SMALL, returned_bytes=4096)
    outcome = python("open('a', 'wb').write(bytes(5000)); open('b', 'wb').write(bytes(4000))", limits)
    assert outcome.results == {"b": bytes(4000)} and outcome.sizes == {"a": 5000, "b": 4000}
    assert outcome.left_out == ("'a' (over the limit on what is read)",)


@pytest.mark.parametrize("name", ["../a", "/etc/a", "a/../../b", "."])
def test_a_listed_file_stays_in_the_folder(name: str) -> None:
    with pytest.raises(SandboxError, match=r"expected"):
        python("", files={name: b""})


def test_a_command_that_does_not_start_is_an_error_of_ours() -> None:
    with pytest.raises(SandboxError, match=r"/nowhere: .*No such file"):
        run(Job(("/nowhere",), limits=SMALL), allow_weak=True)


def test_the_wall_clock_ends_a_job() -> None:
    outcome = python("import time; time.sleep(60)", Limits(wall_s=0.3))
    assert outcome.ended is Ending.WALL and outcome.status is None


def test_a_job_lies_as_deep_as_a_submission_in_its_repository_and_writes_there() -> None:
    outcome = python(
        "import pathlib; above = pathlib.Path('records/train_gpt.py').resolve().parents[3] / 'logs'; above.mkdir(); print(len(above.parents))"
    )
    assert int(outcome.stdout) >= 2, outcome.stderr
