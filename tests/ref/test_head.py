"""Every technique of the output side, switched on alone: its formula, what it may look at, its gradients."""

import math

import pytest
import torch
from torch.nn import functional as F
from toys import CountingLoader, random_model, random_tokens, small

from pgolf_ref.data.pieces import BOS
from pgolf_ref.distributed import World
from pgolf_ref.losses.objective import Objective
from pgolf_ref.model import head as head_module
from pgolf_ref.model.gpt import GPT
from pgolf_ref.model.softcap import softcapped
from pgolf_ref.optim.groups import Optimizers
from pgolf_ref.registry import Group, in_group, registry

TECHNIQUES = {
    "tied": (),
    "untied": ("model.tied=false",),
    "projection": ("model.embedding.dim=12",),
    "untied projection": ("model.embedding.dim=12", "model.tied=false"),
    "low rank": ("model.head.low_rank=3",),
    "sigmoid": ("model.head.softcap_form=sigmoid", "model.softcap=3.0"),
    "poly5": ("model.head.softcap_form=poly5", "model.softcap=3.0"),
    "bias": ("model.head.bias=true",),
    "unigram": ("model.head.unigram_bias=true",),
    "counts": ("model.head.count_bias=true",),
    "memory": ("model.embedding.memory_tokens=3", "model.head.bias=true"),
}


def with_documents(tokens: torch.Tensor) -> torch.Tensor:
    tokens = tokens.clamp(min=3)
    tokens[:, 0] = tokens[0, 5] = tokens[1, 7] = BOS
    return tokens


def literal_softcap(u: float, cap: float, form: str) -> float:
    if form == "poly5":
        x = max(-2.0, min(2.0, u / cap))
        return cap * max(-1.0, min(1.0, x - x**3 / 3 + x**5 / 15))
    if form == "sigmoid":
        return 2 * cap / (1 + math.exp(-2 * u / cap))
    return cap * math.tanh(u / cap)


def literal_logits(model: GPT, hidden: torch.Tensor, tokens: list[int]) -> list[list[float]]:
    """One row (T, d), position by position and token by token."""
    head, c = model.head, model.config
    matrix = model.embedding.table if c.tied else head.weight
    rows = []
    for t, h in enumerate(hidden):
        if c.head.low_rank:
            h = h + head.low_rank_out @ (head.low_rank_in @ h)
        if head.projection is not None:
            h = head.projection @ h
        start = max(s for s in range(t + 1) if s == 0 or (c.embedding.isolate and tokens[s] == BOS))
        row = []
        for v in range(c.vocab_size):
            u = float(h @ matrix[v]) + (float(head.bias[v]) if c.head.bias else 0)
            z = literal_softcap(u, c.softcap, c.head.softcap_form)
            if c.head.unigram_bias:
                z += float(head.unigram_weight * head.unigram[v])
            if c.head.count_bias:
                z += float(head.count_weight) * math.log(1 + tokens[start : t + 1].count(v))
            row.append(z)
        rows.append(row)
    return rows


@pytest.mark.parametrize("isolate", ["false", "true"])
@pytest.mark.parametrize("name", TECHNIQUES)
def test_logits_are_what_the_formula_says(name: str, isolate: str) -> None:
    config = small(*TECHNIQUES[name], f"model.embedding.isolate={isolate}")
    model, tokens = random_model(config), with_documents(random_tokens(config))
    with torch.no_grad():
        hidden = model.hidden(tokens)
        expected = [literal_logits(model, h, row) for h, row in zip(hidden, tokens.tolist(), strict=True)]
        torch.testing.assert_close(model(tokens), torch.tensor(expected, dtype=torch.float64))


@pytest.mark.parametrize("name", TECHNIQUES)
def test_loss_is_the_cross_entropy_of_the_logits(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """In value and gradient, whichever way the head computes it; the places of memory tokens have no target."""
    monkeypatch.setattr(head_module, "ELEMENTS", 1)
    config = small(*TECHNIQUES[name])
    model, tokens, targets = random_model(config), random_tokens(config), random_tokens(config, seed=1)
    skipped = config.model.embedding.memory_tokens
    plain = F.cross_entropy(model(tokens)[:, skipped:].flatten(0, 1), targets[:, skipped:].flatten())
    ours = model.loss(tokens, targets)
    torch.testing.assert_close(ours, plain)
    trained = [p for p in model.parameters() if p.requires_grad]
    pairs = zip(*(torch.autograd.grad(loss, trained, materialize_grads=True) for loss in (ours, plain)), strict=True)
    for got, expected in pairs:
        torch.testing.assert_close(got, expected)


@pytest.mark.parametrize("name", TECHNIQUES)
def test_logits_ignore_later_tokens(name: str) -> None:
    config = small(*TECHNIQUES[name])
    model, tokens = random_model(config), random_tokens(config)
    changed = tokens.clone()
    changed[:, 6:] = (changed[:, 6:] + 1) % config.model.vocab_size
    with torch.no_grad():
        torch.testing.assert_close(model(changed)[:, :6], model(tokens)[:, :6], rtol=0, atol=1e-12)


def test_isolated_counts_start_anew_with_a_document() -> None:
    config = small("model.head.count_bias=true", "model.embedding.isolate=true")
    model, tokens = random_model(config), with_documents(random_tokens(config))
    hidden, changed = torch.zeros(2, 12, 16, dtype=torch.float64), tokens.clone()
    changed[0, :5] = 9
    with torch.no_grad():
        before, after = (model.head.logits(hidden, t, model.embedding.table) for t in (tokens, changed))
    assert torch.equal(before[0, 5:], after[0, 5:]) and not torch.equal(before[0, :5], after[0, :5])


@pytest.mark.parametrize("form", ["tanh", "sigmoid", "poly5"])
def test_forms_of_the_softcap_have_slope_one_and_stay_in_bounds(form: str) -> None:
    raw = torch.linspace(-1000, 1000, 401, dtype=torch.float64)
    capped = softcapped(raw, 5.0, form)
    low, high = (0, 10) if form == "sigmoid" else (-5, 5)
    assert capped.min() >= low and capped.max() <= high and (capped.diff() >= 0).all()
    zero = torch.zeros((), dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(softcapped(zero, 5.0, form), zero)
    assert float(slope) == pytest.approx(1)


def test_sigmoid_and_tanh_forms_have_one_loss() -> None:
    """They differ by a constant: the same cross-entropy and gradient."""
    generator = torch.Generator().manual_seed(0)
    raw = torch.randn(7, 9, dtype=torch.float64, generator=generator, requires_grad=True)
    targets = torch.randint(9, (7,), generator=generator)
    losses = [F.cross_entropy(softcapped(raw, 2.0, form), targets) for form in ("tanh", "sigmoid")]
    torch.testing.assert_close(*losses)
    torch.testing.assert_close(*(torch.autograd.grad(loss, raw)[0] for loss in losses))


@pytest.mark.parametrize("name", ["low rank", "bias", "unigram", "counts"])
def test_a_fresh_technique_changes_nothing_yet(name: str) -> None:
    plain = random_model(small())
    model = GPT(small(*TECHNIQUES[name]).model).double()
    model.load_state_dict(plain.state_dict(), strict=False)
    tokens = random_tokens(small())
    with torch.no_grad():
        assert torch.equal(model(tokens), plain(tokens))


@pytest.mark.parametrize("name", TECHNIQUES)
def test_every_trained_parameter_gets_a_gradient_within_three_steps(name: str) -> None:
    config = small(*TECHNIQUES[name])
    torch.manual_seed(0)
    model = GPT(config.model).double()
    if config.model.head.unigram_bias:
        with torch.no_grad():
            model.head.unigram.copy_(torch.randn(40))
    objective = Objective(model, config.losses)
    optimizers = Optimizers(objective, config.optim, World.single())
    loader, had_gradient = CountingLoader(config), set()
    for step in range(3):
        objective(*loader.batch(step, 0), torch.zeros((), dtype=torch.float64)).backward()
        had_gradient |= {key for key, p in model.named_parameters() if p.grad is not None and p.grad.abs().max() > 0}
        optimizers.step(1.0, 0.9)
        optimizers.zero_grad()
    constants = {key for key, entry in registry(model).items() if entry.group is Group.CONSTANT}
    assert had_gradient == set(registry(model)) - constants
    assert constants == ({"head.unigram"} if name == "unigram" else set())
    assert not any(p.requires_grad for p in in_group(model, Group.CONSTANT))


@pytest.mark.parametrize("name", ["untied", "untied projection", "low rank", "bias"])
def test_an_adapter_of_the_head_is_a_change_of_its_matrix(name: str) -> None:
    """h B A beside the output matrix gives the logits of the matrix + (B A)^T, before biases and softcap."""
    config = small("model.tied=false", *TECHNIQUES[name])
    model, tokens = random_model(config), random_tokens(config)
    change = torch.randn(40, 2, dtype=torch.float64) @ torch.randn(2, model.head.weight.size(1), dtype=torch.float64)

    def beside(slot: str, given: torch.Tensor, output: torch.Tensor) -> torch.Tensor:
        return output + given @ change.mT if slot == "head" else output

    with torch.no_grad():
        adapted = model(tokens, lambda number: beside)
        model.head.weight += change
        torch.testing.assert_close(adapted, model(tokens), rtol=0, atol=1e-9)
