"""Attributes looked up by a name that is not known: followed where nothing they can be has an effect."""

from __future__ import annotations

import pytest
from submissions import submission

from pgolf_check.static.engine import analyse
from pgolf_check.submission.model import Script

HEAD = "import os, torch\nname = os.environ['NAME']\n"


def unfollowed(source: str) -> list[str]:
    judged = submission(scripts={"train_gpt.py": Script("train_gpt.py", 1, HEAD + source)}, logs=(), commands=())
    return [step.message for run in analyse(judged).runs for step in run.unfollowed]


@pytest.mark.parametrize(
    "source",
    [
        "dtype = getattr(torch, name)\nx = torch.zeros(3).to(dtype)",
        "class A:\n    pass\na = A()\na.rate = 1\na.steps = 2\nx = getattr(a, name)",
        "class A:\n    rate = 1\n    def run(self):\n        pass\nx = getattr(A(), name)",
        "model = torch.nn.Linear(3, 3)\ngetattr(model, name).data.copy_(torch.ones(3))",
        "model = torch.nn.Sequential(torch.nn.Linear(3, 3))\nfor n in name.split('.'):\n    model = getattr(model, n)\nx = model.weight",
    ],
)
def test_a_library_and_plain_values_have_no_effects(source: str) -> None:
    assert unfollowed(source) == []


@pytest.mark.parametrize(
    "source",
    [
        "model = torch.nn.Linear(3, 3)\ngetattr(model, name)()",
        "class A:\n    rate = 1\n    def run(self):\n        pass\ngetattr(A(), name)()",
        "class A:\n    pass\na = A()\na.run = lambda: 1\nx = getattr(a, name)()",
        "model = torch.nn.Linear(3, 3)\noptimizer = getattr(torch.optim, name)(model.parameters())",
        "data = torch.from_file('fineweb_val_000000.bin')\ngetattr(data, name)()",
    ],
)
def test_a_state_or_a_function_may(source: str) -> None:
    assert unfollowed(source)


MODE = """
from torch.overrides import TorchFunctionMode
class Watch(TorchFunctionMode):
    def __torch_function__(self, func, types, args=(), kwargs=None):
        return func(*args, **(kwargs or {}))
class Other(Watch):
    pass
"""


def test_a_mode_that_nobody_makes_replaces_nothing() -> None:
    assert unfollowed(MODE) == []
    assert unfollowed(MODE + "with Other():\n    torch.ones(3)")
    assert unfollowed(MODE.replace("(TorchFunctionMode)", "(torch.Tensor)"))


def test_settings_of_a_class_are_plain_and_a_compiled_library_function_is_that_function() -> None:
    text = PROGRAM_OF_SETTINGS
    judged = submission(scripts={"train_gpt.py": Script("train_gpt.py", len(text), text)}, logs=())
    (run,) = analyse(judged).runs
    assert run.claim is not None and not run.unfollowed


PROGRAM_OF_SETTINGS = """
import numpy as np
import torch
import torch.nn.functional as F
from torch.nn.attention.flex_attention import flex_attention

class Settings:
    width = 8
    files = "fineweb_val_*.bin"

attend = torch.compile(flex_attention)
args = Settings()
print(" ".join(f"{name}={getattr(args, name)}" for name in sorted(dir(args)) if not callable(getattr(args, name))))
tokens = torch.from_numpy(np.fromfile("fineweb_val_000000.bin", dtype=np.uint16)).long()
model = torch.nn.Linear(args.width, 1024)
x, y = tokens[:-1], tokens[1:]
loss = F.cross_entropy(model(attend(x, x, x)), y)
print(f"final val_bpb:{loss.item():.8f}")
"""
