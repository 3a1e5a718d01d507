"""Scripts of a few lines, run by the static witness."""

from __future__ import annotations

import textwrap
from typing import Any

from submissions import submission

from pgolf_check.static.engine import analyse
from pgolf_check.static.facts import StaticRun
from pgolf_check.submission.model import Script

HEAD = """
import copy
import functools
import io
import os
import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

tokens = torch.from_numpy(np.fromfile("fineweb_val_000000.bin", dtype=np.uint16)).long()
x, y = tokens[:-1], tokens[1:]
model = nn.Linear(8, 1024)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
F.cross_entropy(model(torch.zeros(3, 8)), torch.zeros(3).long()).backward()
optimizer.step()
"""


def runs(source: str, *, head: str = HEAD, **changes: Any) -> tuple[StaticRun, ...]:
    """The runs of a script that begins with `head`; `changes` are those of the submission."""
    text, entry = head + textwrap.dedent(source), "train_gpt.py"
    judged = submission(**{"scripts": {entry: Script(entry, len(text), text)}, "logs": (), **changes})
    return analyse(judged).runs


def ran(source: str, **changes: Any) -> StaticRun:
    """The first run; asserts that all of it was followed."""
    found = runs(source, **changes)[0]
    assert found.unfollowed == ()
    return found
