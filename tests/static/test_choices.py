"""What counts as keeping the lower of two scores, and what looks like it."""

from __future__ import annotations

import pytest
from abstract_runs import ran

SCORES = """
other = nn.Linear(8, 1024)
a = F.cross_entropy(model(x), y, reduction="none")
b = F.cross_entropy(other(x), y, reduction="none")
"""
KEPT = {
    "by the size of the difference": "low = (a + b - (a - b).abs()) / 2",
    "by its positive part": "low = a - F.relu(a - b)",
    "by a mask": "low = (a < b) * a + (a >= b) * b",
    "in place": "low = a.clone(); low[b < a] = b[b < a]",
    "from a stack": "low = torch.stack((a, b)).amin(0)",
    "by a bound": "low = torch.clamp(a, max=b)",
    "sorted": "low = torch.stack((a, b)).sort(0).values[0]",
}
MIXED = {
    "sum of probabilities": "low = -torch.log(0.5 * torch.exp(-a) + 0.5 * torch.exp(-b))",
    "stable sum": "low = -(torch.maximum(-a, -b) + torch.log1p(torch.exp(-(a - b).abs())))",
    "one of them": "low = a; print(f'gap {(a - b).abs().mean().item():.4f}')",
}


def best_of(body: str) -> bool:
    run = ran(f"{SCORES}{body}\nprint(f'final val_bpb:{{low.mean().item():.6f}}')")
    assert run.claim is not None and run.claim.scores
    return bool(run.claim.best_of)


@pytest.mark.parametrize("form", KEPT)
def test_the_lower_of_two_scores(form: str) -> None:
    assert best_of(KEPT[form])


@pytest.mark.parametrize("form", MIXED)
def test_a_mixture_or_a_gap_is_no_choice(form: str) -> None:
    assert not best_of(MIXED[form])
