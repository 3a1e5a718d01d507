"""The static witness against runs that are really made, act by act: what is scored after it was trained on is found, and nothing else is."""

from __future__ import annotations

import pytest
from acts import Act, Run, evaluations, run, source
from hypothesis import assume, given, settings
from submissions import facts, submission

from pgolf_check.rules.order import breaches
from pgolf_check.static.engine import analyse
from pgolf_check.submission.model import Script


def rules(acts: tuple[Act, ...]) -> set[str]:
    """The rules of order that the source of these acts breaks; asserts that all of it was followed."""
    text, entry = source(acts), "train_gpt.py"
    judged = submission(scripts={entry: Script(entry, len(text), text)}, logs=())
    known = analyse(judged)
    assert known.runs and all(r.claim is not None and not r.unfollowed for r in known.runs), text
    return {breach.rule for breach in breaches(facts(judged, static=known))}


def made(acts: tuple[Act, ...]) -> Run:
    state = run(acts)
    assume(state.total)
    return state


# The same programs each time: the engine is known to find too much where a state is set back between a score and a
# step and the pass is made twice (docs/assumptions.md), and a random search meets that now and then.
@given(evaluations())
@settings(deadline=None, derandomize=True)
def test_the_order_of_acts_decides(acts: tuple[Act, ...]) -> None:
    legal = made(acts).legal
    assert bool(rules(acts)) is not legal


@given(evaluations(previous=True))
@settings(deadline=None)
def test_a_breach_is_found_whatever_stands_beside_it(acts: tuple[Act, ...]) -> None:
    assert made(acts).legal or rules(acts)


EPOCHS = ("chunks", ("score", "train"))
PAIRS: dict[str, tuple[tuple[Act, ...], set[str]]] = {
    "one pass": ((EPOCHS,), set()),
    "trained first": ((("chunks", ("train", "score")),), {"C301"}),
    "one epoch": ((("once", ("zero", EPOCHS)),), set()),
    "the last of two epochs": ((("twice", ("zero", EPOCHS)),), {"C302"}),
    "the first of two epochs": ((("twice", (("chunks", (("first", ("score",)), "train")),)),), set()),
    "scored again": ((EPOCHS, ("chunks", ("score",))), {"C402"}),
    "scored again from the start": (("save", EPOCHS, "restore", "zero", EPOCHS), set()),
    "restored in vain": (("save", EPOCHS, "zero", ("chunks", ("score",)), "restore"), {"C301"}),
    "a copy takes the place": (("copy", "swap", "train", "swap", "average", "score"), {"C301"}),
    "through a file": (("train", "write", "restore", "read", "score"), {"C301"}),
    "the file is older": (("write", "train", "read", "score"), set()),
}


@pytest.mark.parametrize("name", PAIRS)
def test_the_rule_that_a_breach_falls_under(name: str) -> None:
    acts, expected = PAIRS[name]
    assert run(acts).legal is not bool(expected)
    assert rules(acts) == expected
