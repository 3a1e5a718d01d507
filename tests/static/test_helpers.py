"""A script that does not run by itself is judged through the program that uses it."""

from __future__ import annotations

import pytest
from submissions import final, log, run, submission

from pgolf_check.static.engine import analyse
from pgolf_check.submission.model import Metadata, Script

HELPER = """
import torch.nn.functional as F

def mean_loss(model, x, y):
    return F.cross_entropy(model(x), y)
"""
PROGRAM = """
import numpy as np
import torch
from helper import mean_loss

tokens = torch.from_numpy(np.fromfile("fineweb_val_000000.bin", dtype=np.uint16)).long()
loss = mean_loss(torch.nn.Linear(8, 1024), tokens[:-1], tokens[1:])
print(f"final val_bpb:{loss.item():.8f} by {F.cross_entropy}")
"""


EVALUATION = """
import importlib.util
from pathlib import Path

def load(name):
    spec = importlib.util.spec_from_file_location("anything", Path(__file__).resolve().parent / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module

loss = load("program").loss
print(f"evaluated val_bpb:{loss.item():.8f}")
"""


@pytest.mark.parametrize("loading", ["from program import loss\n" + EVALUATION[EVALUATION.index("print") :], EVALUATION])
def test_a_claim_that_another_program_prints_is_judged_through_that(loading: str) -> None:
    texts = (("helper.py", HELPER), ("program.py", PROGRAM), ("evaluation.py", loading))
    scripts = {name: Script(name, len(text), text) for name, text in texts}
    line = final("a.log", label="evaluated", val_bpb=1.1, text="evaluated val_bpb:1.10000000")
    judged = submission(
        scripts=scripts,
        entry="program.py",
        metadata=Metadata("submission.json", {}, val_bpb=1.1),
        logs=(log("a.log", run("a.log", finals=(line,))),),
    )
    found, *_ = analyse(judged).runs
    assert found.resolved and found.claim is not None and found.claim.location.path == "evaluation.py"


def test_a_helper_is_judged_through_the_program_that_imports_it() -> None:
    scripts = {name: Script(name, len(text), text) for name, text in (("helper.py", HELPER), ("program.py", PROGRAM))}
    (run,) = analyse(submission(scripts=scripts, entry="helper.py", logs=())).runs
    assert run.claim is not None and run.claim.location.path == "program.py"
