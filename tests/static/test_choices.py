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


INPUTS = """
p, q = F.log_softmax(model(x), -1), F.log_softmax(model(x) * 2, -1)
a, b = p.gather(-1, {tokens}[:, None]), q.gather(-1, {tokens}[:, None])
weights, _ = torch.sort(torch.cat([a, b], -1))
"""


def test_how_likely_the_inputs_are_is_no_score_that_competes() -> None:
    """A router that sorts what it knows of the tokens before the target keeps no better one of two scores."""
    report = "print(f'final val_bpb:{F.cross_entropy(model(x) * weights, y)}')"
    routed = ran(INPUTS.format(tokens="x") + report)
    assert routed.claim is not None and not routed.claim.best_of
    chosen = ran(INPUTS.format(tokens="y") + report)
    assert chosen.claim is not None and chosen.claim.best_of


@pytest.mark.parametrize("piece", ["tokens[1:-1]", "tokens[1:]", "tokens[1:len(tokens)]"])
def test_a_slice_that_drops_the_first_token_is_not_of_inputs(piece: str) -> None:
    chosen = ran(f"z = {piece}\n" + INPUTS.format(tokens="z") + "print(f'final val_bpb:{weights[:, 0].mean()}')")
    assert chosen.claim is not None and chosen.claim.best_of
