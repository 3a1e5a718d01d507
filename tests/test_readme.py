"""The README shows what the programs really print."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

from fixtures import build, cases
from pgolf_check.cli import main

README = Path(__file__).resolve().parent.parent / "README.md"
SHOWN = "C302/reject_last_of_two_epochs"


def test_the_illegal_example_is_real_output(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    case = next(case for case in cases() if case.name == SHOWN)
    submission = build(case, tmp_path)
    monkeypatch.chdir(tmp_path)
    assert main(["static", str(submission.relative_to(tmp_path))]) == 1
    printed = re.sub(r"\nRules: .*\n", "\n", capsys.readouterr().out).strip()
    shown = re.search(r"<!-- illegal -->\n```\n(.*?)\n```\n<!-- /illegal -->", README.read_text(encoding="utf-8"), re.DOTALL)
    assert shown is not None and shown[1] == printed, printed


def test_the_testing_example_runs(tmp_path: Path) -> None:
    block = re.search(r"<!-- testing -->\n```python\n(.*?)```\n<!-- /testing -->", README.read_text(encoding="utf-8"), re.DOTALL)
    assert block is not None
    example = tmp_path / "example.py"
    example.write_text(block[1], encoding="utf-8")
    names = runpy.run_path(str(example))
    tests = [name for name in names if name.startswith("test_")]
    assert len(tests) == 2
    for name in tests:
        names[name]()
