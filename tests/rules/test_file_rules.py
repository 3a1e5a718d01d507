"""P101 to P103 and X101: which files are there and can be read; the legal record passes everything."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from rulings import blocks, check, other_track, with_source
from submissions import SOURCE, submission

from pgolf_check.model import Certainty, Location, Severity, Status, Step
from pgolf_check.static.facts import StaticFacts
from pgolf_check.submission.model import File, Log, Metadata, Problem, Script


@pytest.mark.parametrize("code", ["B101", "P101", "P102", "S101", "T101", "T102", "V102", "X101", "X103"])
def test_the_legal_record_passes(code: str) -> None:
    answer = check(code)
    assert (answer.status, answer.findings) == (Status.PASS, ())


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"metadata": None}, "submission.json"),
        ({"logs": ()}, "log"),
        ({"logs": (Log("train.log", "no run in it"),)}, "log"),
        ({"files": (File("train_gpt.py", 10, b""),)}, "README.md"),
        ({"files": (File("README.md", 0, b""),)}, "README.md"),
        ({"scripts": {}, "entry": ""}, "script"),
        ({"scripts": {"train_gpt.py": Script("train_gpt.py", 0, "")}}, "script"),
    ],
)
def test_p101(changes: dict[str, Any], told: str) -> None:
    for judged in (submission(**changes), other_track(**changes)):
        answer = check("P101", judged)
        assert blocks(answer) and len(answer.findings) == 1
        assert told in answer.findings[0].message


def test_p102_blocks_without_a_score() -> None:
    unreadable = Metadata("submission.json", {}, (Problem(Location("submission.json", 3), "trailing comma"),))
    assert blocks(check("P102", submission(metadata=unreadable)))
    null = Metadata("submission.json", {"name": "a", "author": "b", "val_bpb": None})
    assert blocks(check("P102", submission(metadata=null)))


def test_p102_lesser_problems_are_notes() -> None:
    metadata = Metadata(
        "submission.json", {"val_bpb": 1.08}, (Problem(Location("submission.json", 3), "seeds is a word"),), val_bpb=1.08
    )
    answer = check("P102", submission(metadata=metadata))
    assert [f.ceiling for f in answer.findings] == [Severity.NOTE] * 3


def test_p102_needs_a_file() -> None:
    assert check("P102", submission(metadata=None)).status is Status.NOT_APPLICABLE


@pytest.mark.parametrize("source", ["def f(:\n", "<<<<<<< HEAD\nx = 1\n", "x = 'cut\n", "(" * 10_000])
def test_p103_text_that_does_not_parse(source: str) -> None:
    assert blocks(check("P103", with_source(source)))


@pytest.mark.parametrize(
    "source", [SOURCE, "x = f'{d['a']}'\n", "try:\n    import nothing\nexcept ImportError:\n    pass\n", "import os.path\n"]
)
def test_p103_text_that_parses(source: str) -> None:
    assert check("P103", with_source(source)).status is Status.PASS


def test_p103_absent_modules() -> None:
    assert [f.certainty for f in check("P103", with_source("import helper\n")).findings] == [Certainty.POSSIBLE]
    assert blocks(check("P103", with_source("from . import helper\n")))
    assert not check("P103", with_source("import helper\n", "helper.py")).findings
    assert not check("P103", with_source("from helper.parts import x\n", "helper/parts.py")).findings
    assert not check("P103", with_source("import helper\n", modules={"helper": "x = 1\n"})).findings


def test_p103_requirements_are_present() -> None:
    judged = with_source("import my_helper\n")
    required = File("requirements.txt", 20, b"torch>=2\nmy-helper==1.0\n")
    assert not check("P103", replace(judged, files=(*judged.files, required))).findings


def test_x101_code_that_cannot_be_read() -> None:
    hidden = Script("train_gpt.py", 50, None, "the payload is damaged")
    answer = check("X101", submission(scripts={"train_gpt.py": hidden}))
    assert blocks(answer) and "damaged" in answer.findings[0].message


def test_x101_a_helper_counts_if_the_entry_names_it() -> None:
    helper = Script("helper.py", 50, None, "the payload is damaged")
    entry = Script("train_gpt.py", 20, "import helper\n")
    assert blocks(check("X101", submission(scripts={"train_gpt.py": entry, "helper.py": helper})))
    alone = replace(entry, text="import torch\n")
    answer = check("X101", submission(scripts={"train_gpt.py": alone, "helper.py": helper}))
    assert [f.ceiling for f in answer.findings] == [Severity.NOTE]


def test_x101_what_the_static_witness_could_not_read() -> None:
    problem = StaticFacts((), (Step(Location("train_gpt.py", 3), "does not parse: a bracket"),))
    assert blocks(check("X101", static=problem))
