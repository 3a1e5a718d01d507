"""Frozen objects and modules of a package: what a loop chose, and what was replaced in a copy, is known in every field."""

from __future__ import annotations

import pytest
from submissions import facts, submission

from pgolf_check.model import Status
from pgolf_check.rules.order import decide
from pgolf_check.static.engine import analyse
from pgolf_check.submission.model import Script

EVALUATION = """
import dataclasses
import numpy as np
import torch
from typing import NamedTuple
from own import plan
{record}
@dataclasses.dataclass(frozen=True)
class Settings:
    epochs: int = 0
    title: str = "x"

def main():
    settings = dataclasses.replace(Settings(title="y"), epochs={epochs})
    tokens = torch.from_numpy(np.fromfile("fineweb_val_000000.bin", dtype=np.uint16))
    model = torch.nn.Linear(8, 8)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    windows = [Window(start, start + 1024) for start in plan.starts(len(tokens))]
    chunks = []
    for number, window in enumerate(windows):
        if number % 4 == 0:
            chunks.append([])
        chunks[-1].append(window)
    total = 0.0
    for chunk in chunks:
        first, last = chunk[0].first, chunk[-1].end
{acts}
    print(f"final val_bpb:{{total:.8f}}")

main()
"""
SCORE = """
        total += torch.nn.functional.cross_entropy(model(tokens[first:last - 1]), tokens[first + 1:last]).item()
"""
TRAIN = """
        if settings.epochs > 0:
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(model(tokens[first:last - 1]), tokens[first + 1:last]).backward()
            optimizer.step()
"""
PLAN = "def starts(count):\n    return range(0, count - 1024, 1024)\n"
FROZEN = "\n@dataclasses.dataclass(frozen=True, slots=True)\nclass Window:\n    first: int\n    end: int\n"
HOISTED = "\nYES = True\n" + FROZEN.replace("True", "YES").lstrip()
NAMED = "\nclass Window(NamedTuple):\n    first: int\n    end: int\n"


def failing(record: str, acts: str, epochs: int) -> set[str]:
    """The rules of order that an evaluation breaks which does `acts` with every chunk."""
    main = EVALUATION.format(record=record, acts=acts, epochs=epochs)
    sources = {"train_gpt.py": main, "own/__init__.py": "", "own/plan.py": PLAN}
    judged = submission(scripts={path: Script(path, len(text), text) for path, text in sources.items()}, logs=())
    known = facts(judged, static=analyse(judged))
    answers = [decide(known, rule) for rule in ("C301", "C302", "C402")]
    assert {answer.status for answer in answers} <= {Status.PASS, Status.FAIL}
    return {answer.rule for answer in answers if answer.status is Status.FAIL}


@pytest.mark.parametrize("record", [FROZEN, HOISTED, NAMED], ids=["dataclass", "dataclass by a named constant", "named tuple"])
class TestWindowsAsRecords:
    def test_a_chunk_that_is_scored_before_it_is_trained_on_passes(self, record: str) -> None:
        assert failing(record, SCORE + TRAIN, 1) == set()

    def test_a_chunk_that_is_trained_on_before_it_is_scored_fails(self, record: str) -> None:
        assert failing(record, TRAIN + SCORE, 1) == {"C301"}

    def test_no_epochs_in_a_replaced_configuration_means_no_training(self, record: str) -> None:
        assert failing(record, TRAIN + SCORE, 0) == set()
