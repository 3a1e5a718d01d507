"""Settings that follow from a line that a run printed."""

from __future__ import annotations

from dataclasses import replace

import pytest
from submissions import facts, final, log, run, submission

from pgolf_check.model import Severity
from pgolf_check.rules.order import breaches
from pgolf_check.static.engine import analyse
from pgolf_check.static.lower import lower
from pgolf_check.static.switches import named, switches
from pgolf_check.submission.model import Metadata, Script, Submission

PROGRAM = """
import os
import numpy as np
import torch
import torch.nn.functional as F

class Settings:
    mode = os.environ.get("MODE", "plain")
    extra = bool(int(os.environ.get("EXTRA", "0")))
    rounds = int(os.environ.get("ROUNDS", 0))
    quiet = os.environ.get("QUIET", "1") == "1"

args = Settings()
tokens = torch.from_numpy(np.fromfile("fineweb_val_000000.bin", dtype=np.uint16)).long()
model = torch.nn.Linear(8, 1024)
x, y = tokens[:-1], tokens[1:]

def score():
    return F.cross_entropy(model(x), y).item()

def report(value):
    print(f"adapted val_bpb:{value:.6f}")

def adapt():
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    F.cross_entropy(model(x), y).backward()
    optimizer.step()
    report(score())

use = args.extra and args.rounds > 1
if GATE:
    adapt()
else:
    print(f"plain val_bpb:{score():.6f}")
"""
CASES = {
    'args.mode == "lora"': {"MODE": "lora"},
    "args.extra": {"EXTRA": "1"},
    "not args.quiet": {"QUIET": "0"},
    "use": {"EXTRA": "1", "ROUNDS": "2"},
    "args.rounds >= 3 and args.mode != 'plain'": {"ROUNDS": "3"},
}


def judged(gate: str, text: str) -> Submission:
    source = PROGRAM.replace("GATE", gate)
    line = final("train.log", label=text.split()[0], val_bpb=1.1, text=text)
    return submission(
        scripts={"train_gpt.py": Script("train_gpt.py", len(source), source)},
        metadata=Metadata("submission.json", {}, val_bpb=1.1),
        logs=(log("train.log", run("train.log", finals=(line,))),),
    )


@pytest.mark.parametrize("gate", CASES)
def test_the_tests_around_a_printed_line_tell_the_settings(gate: str) -> None:
    assert switches(lower(PROGRAM.replace("GATE", gate)), ["adapted val_bpb:1.100000"]) == CASES[gate]


def test_a_line_that_the_defaults_print_tells_nothing() -> None:
    assert switches(lower(PROGRAM.replace("GATE", "args.extra")), ["plain val_bpb:1.100000"]) == {}


TOLD = """
import os
order = int(os.environ.get("ORDER", 0))
extra = bool(int(os.environ.get("EXTRA", "0")))
fast = bool(int(os.environ.get("FAST_ENABLED", "0")))
other = os.environ.get("FAST_OTHER", "0")
if order >= 2:
    print(f"table lookup:order={order} of {extra}")
if extra:
    print("some extra work begins")
    print("the training is over")
print("the training is over")
if extra:
    print("x")
"""


@pytest.mark.parametrize(
    ("log", "values"),
    [
        ("seed 1\ntable lookup:order=7 of False\n", {"ORDER": "7", "EXTRA": "0"}),
        ("some extra work begins\n", {"EXTRA": "1"}),
        ("the training is over\n", {}),
        ('    print("some extra work begins")\nx\n', {}),
    ],
)
def test_a_line_of_a_log_that_the_defaults_never_print_tells_settings(log: str, values: dict[str, str]) -> None:
    assert switches(lower(TOLD), (), [log]) == values


def test_settings_are_read_through_names_of_their_texts() -> None:
    minified = TOLD.replace('"EXTRA", "0"', "A, B").replace("import os\n", "import os\nA = 'EXTRA'\nB = '0'\n", 1)
    assert switches(lower(minified), (), ["some extra work begins\n"]) == {"EXTRA": "1"}


def test_a_switch_is_named_by_all_its_words() -> None:
    assert named(lower(TOLD), {"FAST", "SCORE"}) == {"FAST_ENABLED": "1"}
    assert named(lower(TOLD), {"SCORE"}) == {}


TABLE = """
| seed | Plain bpb | With EXTRA bpb |
|---|---|---|
| 1 | 1.2000 | **1.1000** |
"""


@pytest.mark.parametrize(("claim", "ceilings"), [(1.1, {Severity.BLOCK}), (1.2, set())])
def test_the_head_over_the_claim_tells_a_setting_where_nothing_else_does(claim: float, ceilings: set[Severity]) -> None:
    judged_ = replace(judged("args.extra", "adapted val_bpb:1.1"), logs=(), readme=TABLE)
    headline = replace(judged_, metadata=Metadata("submission.json", {}, val_bpb=claim))
    assert {b.run.ceiling for b in breaches(facts(headline, static=analyse(headline)))} == ceilings


@pytest.mark.parametrize(
    ("text", "severities"), [("adapted val_bpb:1.100000", {Severity.BLOCK}), ("plain val_bpb:1.100000", set())]
)
def test_the_run_that_printed_the_claim_is_judged(text: str, severities: set[Severity]) -> None:
    known = facts(judged("args.extra", text), static=analyse(judged("args.extra", text)))
    assert {b.run.ceiling for b in breaches(known)} == severities
