"""A script that does not run by itself is judged through the program that uses it."""

from __future__ import annotations

from submissions import submission

from pgolf_check.static.engine import analyse
from pgolf_check.submission.model import Script

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


def test_a_helper_is_judged_through_the_program_that_imports_it() -> None:
    scripts = {name: Script(name, len(text), text) for name, text in (("helper.py", HELPER), ("program.py", PROGRAM))}
    (run,) = analyse(submission(scripts=scripts, entry="helper.py", logs=())).runs
    assert run.claim is not None and run.claim.location.path == "program.py"
