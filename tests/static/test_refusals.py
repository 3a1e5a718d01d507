"""Checks that only raise, and scripts that do nothing until a switch tells them to."""

from __future__ import annotations

import pytest
from abstract_runs import ran, runs

from pgolf_check.model import Severity

SCORED = """
total = F.cross_entropy(model(torch.zeros(3, 8)), y[:3])
print(f"final val_bpb:{total.item():.8f}")
"""
CHECKS = {
    "a check": "path = 'vocabulary'\nif not path.endswith('.model'):\n    raise ValueError(path)\n",
    "with a text made first": "if 8 > 4:\n    told = 'too many'\n    raise RuntimeError(told)\n",
    "an alternative": "if 8 < 4:\n    limit = 4\nelse:\n    raise RuntimeError('too few')\n",
}


@pytest.mark.parametrize("case", CHECKS)
def test_a_run_that_was_reported_passed_its_checks(case: str) -> None:
    assert ran(CHECKS[case] + SCORED).claim is not None


def test_an_error_that_is_caught_is_a_way_to_go() -> None:
    source = "try:\n    if 8 > 4:\n        raise RuntimeError\n    quit()\nexcept RuntimeError:\n    pass\n"
    assert ran(source.replace("quit()", "model = None") + SCORED).claim is not None


SWITCHED = """
import argparse
parser = argparse.ArgumentParser()
parser.add_argument("--evaluate", action="store_true")
args = parser.parse_args()
if args.evaluate:
    {scored}
else:
    print("use --evaluate")
"""


def test_a_script_that_waits_for_a_switch_is_run_with_any() -> None:
    found = runs(SWITCHED.format(scored=SCORED.strip().replace("\n", "\n    ")))
    assert [(run.claim is not None, run.ceiling) for run in found] == [(True, Severity.REVIEW)]


def test_attention_of_an_unknown_library_reaches_no_state() -> None:
    source = """
import swift_attention
hidden = model(nn.Embedding(1024, 8)(x[:3]))
mixed = swift_attention.attend(hidden, hidden, causal=True)
total = F.cross_entropy(mixed, y[:3])
print(f"final val_bpb:{total.item():.8f}")
"""
    assert ran(source).claim is not None


def test_whether_a_list_of_scores_is_empty_chooses_none_of_them() -> None:
    source = """
kept = []
for row in range(8):
    if float(x[row]) > 2:
        kept.append(F.cross_entropy(model(torch.zeros(3, 8)), y[:3], reduction="none"))
        kept.append(F.cross_entropy(model(torch.ones(3, 8)), y[:3], reduction="none"))
total = kept[0] if kept else torch.zeros(3)
if kept:
    total = kept[1]
print(f"final val_bpb:{total.sum().item():.8f}")
"""
    claim = ran(source).claim
    assert claim is not None and claim.best_of == ()
