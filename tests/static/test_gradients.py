"""Gradients that are values: a step that is added to what is scored has learnt from its tokens, written or not."""

from __future__ import annotations

import pytest
from abstract_runs import HEAD
from submissions import facts, submission

from pgolf_check.model import Status
from pgolf_check.rules.order import decide
from pgolf_check.static.engine import analyse
from pgolf_check.submission.model import Script

WINDOWS = """
total, bias = 0.0, torch.zeros(1024, requires_grad=True)
for start in range(0, len(x), 512):
    a, b = x[start : start + 512], y[start : start + 512]
    {own}
    {acts}
print(f"final val_bpb:{{total.item():.8f}}")
"""
OWN = "bias = torch.zeros(1024, requires_grad=True)"
GRADIENTS = {
    "autograd.grad": "(slope,) = torch.autograd.grad(F.cross_entropy(model(a) + bias, b), [bias])",
    "backward": "F.cross_entropy(model(a) + bias, b).backward(); slope = bias.grad",
}
SCORE = "total = total + F.cross_entropy(model(a) + {bias}, b).detach()"


def failing(own: str, acts: str) -> set[str]:
    """The rules of order that the evaluation breaks."""
    text = HEAD + WINDOWS.format(own=own, acts=acts)
    judged = submission(scripts={"train_gpt.py": Script("train_gpt.py", len(text), text)}, logs=())
    known = facts(judged, static=analyse(judged))
    answers = [decide(known, rule) for rule in ("C103", "C301", "C302", "C402")]
    return {answer.rule for answer in answers if answer.status is Status.FAIL}


@pytest.mark.parametrize("gradient", GRADIENTS.values(), ids=GRADIENTS)
class TestSteps:
    def test_one_for_the_window_that_is_scored(self, gradient: str) -> None:
        assert failing(OWN, f"{gradient}; " + SCORE.format(bias="(bias - 0.1 * slope).detach()")) == {"C103"}

    def test_one_that_is_kept_and_made_before_the_score(self, gradient: str) -> None:
        step = "bias = (bias - 0.1 * slope).detach().requires_grad_(); "
        assert failing("pass", f"{gradient}; {step}" + SCORE.format(bias="bias")) == {"C301"}

    def test_one_that_is_kept_and_made_after_the_score(self, gradient: str) -> None:
        step = "bias = (bias - 0.1 * slope).detach().requires_grad_()"
        assert failing("pass", SCORE.format(bias="bias") + f"; {gradient}; {step}") == set()

    def test_one_that_nothing_is_computed_with(self, gradient: str) -> None:
        assert failing(OWN, f"{gradient}; print(slope.norm()); " + SCORE.format(bias="bias")) == set()
