"""Blocks and what joins them against their formulas written out; the plans of the published stacks."""

import math

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given, settings
from torch import Tensor
from torch.nn import functional as F
from toys import random_model, random_tokens, small

from pgolf_ref.model.block import Block
from pgolf_ref.model.canon import Canon
from pgolf_ref.model.depth import draws, drop_probability, randomly
from pgolf_ref.model.flow import Flow
from pgolf_ref.model.gpt import GPT
from pgolf_ref.model.lanes import Lanes
from pgolf_ref.model.mlp import MLP
from pgolf_ref.model.passes import Passes
from pgolf_ref.model.plan import in_words, phases, plan, skip_count
from pgolf_ref.model.skips import Skips

ELEVEN = ("model.layers=11", "model.recurrence.loops=2", "model.recurrence.last=5")


def randn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def norm(x: Tensor) -> Tensor:
    return F.rms_norm(x, (x.size(-1),))


def shuffled(module: torch.nn.Module) -> torch.nn.Module:
    """The module in float64 with random weights."""
    with torch.no_grad():
        for seed, parameter in enumerate(module.double().parameters()):
            parameter.copy_(randn(*parameter.shape, seed=seed + 10))
    return module


def block(*overrides: str, layer: int = 1) -> Block:
    found = random_model(small(*(f"model.block.{override}" for override in overrides))).blocks[layer]
    assert isinstance(found, Block)
    return found


@pytest.mark.parametrize(
    ("first", "expected"),
    [
        (4, "0 1 2 3 4 5 4 | 5+6 4+5 5+4 6+3 7+2 8+1 9+0 10"),
        (3, "0 1 2 3 4 5 3 4 | 5+7 3+6 4+5 5+4 6+3 7+2 8+1 9+0 10"),
    ],
)
def test_plans_of_the_looped_stacks(first: int, expected: str) -> None:
    config = small(*ELEVEN, f"model.recurrence.first={first}").model
    assert in_words(plan(config, 2)) == expected
    assert in_words(plan(config, 0)) == "0 1 2 3 4 | 5+4 6+3 7+2 8+1 9+0 10"


def test_the_skips_are_those_of_the_longest_plan() -> None:
    model = GPT(small(*ELEVEN, "model.recurrence.first=3").model)
    assert len(model.skips.weight) == skip_count(model.plan) == 8


@given(layers=st.integers(1, 12), loops=st.integers(0, 4), data=st.data())
@settings(max_examples=60, deadline=None)
def test_a_plan_runs_every_block_and_returns_every_skip_once(layers: int, loops: int, data: st.DataObject) -> None:
    first = data.draw(st.integers(0, layers - 1))
    last = data.draw(st.integers(first, layers - 1))
    recurrence = [f"model.recurrence.{name}={value}" for name, value in (("loops", loops), ("first", first), ("last", last))]
    steps = plan(small(f"model.layers={layers}", *recurrence).model, loops)
    counts = [sum(step.block == number for step in steps) for number in range(layers)]
    assert counts == [1 + loops * (first <= number <= last) for number in range(layers)]
    sources = [step.source for step in steps if step.source is not None]
    assert sources == list(range(len(steps) // 2))[::-1]
    assert all(step.source < i for i, step in enumerate(steps) if step.source is not None)
    assert [step.enters for step in steps if step.enters is not None] == (list(range(loops + 1)) if loops else [])
    seen: dict[int, int] = {}
    for step in steps:
        assert step.repeat == seen.get(step.block, 0)
        seen[step.block] = step.repeat + 1


def test_passes_begin_together_or_one_by_one() -> None:
    together = phases(small(*ELEVEN, "model.recurrence.starts=[0.35]").model)
    assert [(phase.start, len(phase.steps)) for phase in together] == [(0.0, 11), (0.35, 23)]
    in_turn = phases(small(*ELEVEN, "model.recurrence.starts=[0.5, 0.65]").model)
    assert [(phase.start, len(phase.steps)) for phase in in_turn] == [(0.0, 11), (0.5, 17), (0.65, 23)]
    at_once = phases(small(*ELEVEN).model)
    assert [(phase.start, len(phase.steps)) for phase in at_once] == [(0.0, 23)]


def test_a_model_before_its_loops_is_one_without() -> None:
    looped = random_model(small("model.recurrence.loops=2", "model.recurrence.last=1", "model.recurrence.starts=[0.5]"))
    plain, tokens = random_model(small(), seed=1), random_tokens(small())
    weights = looped.state_dict()
    plain.load_state_dict({name: weights[name][: len(value)] for name, value in plain.state_dict().items()})
    with torch.no_grad():
        assert looped.begin(0.49)
        assert not looped.begin(0.0)
        assert torch.equal(looped(tokens), plain(tokens))
        assert looped.begin(0.5)
        assert (looped(tokens) - plain(tokens)).abs().max() > 1e-6


def test_untied_mlps_start_as_copies_when_their_pass_begins() -> None:
    config = small("model.recurrence.loops=1", "model.recurrence.starts=[0.5]", "model.recurrence.untied_mlp=true")
    model = random_model(config)
    first = model.blocks[0]
    model.begin(0.2)
    assert not torch.equal(first.repeat_mlps[0].up, first.mlp.up)
    model.begin(0.6)
    assert torch.equal(first.repeat_mlps[0].up, first.mlp.up)
    with torch.no_grad():
        first.repeat_mlps[0].up.mul_(2)
    model.begin(0.7)
    assert torch.equal(first.repeat_mlps[0].up, 2 * first.mlp.up)


def test_a_shared_block_runs_where_the_sequence_says() -> None:
    model = random_model(small("model.recurrence.sequence=[0, 1, 2, 1]", "model.block.skips=none"))
    tokens = random_tokens(small())
    with torch.no_grad():
        x0 = norm(model.embedding.table[tokens])
        x = x0
        for number in (0, 1, 2, 1):
            x = model.blocks[number](x, x0)
        torch.testing.assert_close(model.hidden(tokens), norm(x))


def test_gptj_form_reads_one_input() -> None:
    module, x, x0 = block("parallel=gptj"), randn(2, 5, 16), randn(2, 5, 16, seed=1)
    with torch.no_grad():
        mixed = module.resid_mix[0] * x + module.resid_mix[1] * x0
        expected = mixed + module.attention_scale * module.attention(norm(mixed)) + module.mlp_scale * module.mlp(norm(mixed))
        torch.testing.assert_close(module(x, x0), expected)


def test_layer_scale_shrinks_the_inputs() -> None:
    module, x = block("layer_scale=true", "residual_mix=false", layer=2), randn(2, 5, 16)
    with torch.no_grad():
        y = x + module.attention_scale * module.attention(norm(x) / math.sqrt(3))
        y = y + module.mlp_scale * module.mlp(norm(y) / math.sqrt(3))
        torch.testing.assert_close(module(x, x), y)


def test_token_gate_takes_a_share_of_the_change() -> None:
    gated, x = block("token_gate=true", "residual_mix=false"), randn(2, 5, 16)
    plain = block("residual_mix=false")
    plain.load_state_dict(gated.state_dict(), strict=False)
    with torch.no_grad():
        share = torch.sigmoid(x @ gated.token_gate + gated.token_gate_bias).unsqueeze(-1)
        torch.testing.assert_close(gated(x, x), x + share * (plain(x, x) - x))


def _lanes(form: str) -> tuple[Lanes, Block, Tensor, Tensor, Flow]:
    model = random_model(small(f"model.block.parallel={form}"))
    return model.lanes, model.blocks[1], randn(2, 5, 16), randn(2, 5, 16, seed=1), Flow(x0=randn(2, 5, 16, seed=2))


def _mixed(module: Block, x: Tensor, flow: Flow) -> Tensor:
    return module.resid_mix[0] * x + module.resid_mix[1] * flow.x0


@torch.no_grad()
def test_split_lanes() -> None:
    lanes, module, first, second, flow = _lanes("split")
    mixed = _mixed(module, first, flow)
    a = mixed + module.attention_scale * module.attention(norm(mixed))
    b = second + module.mlp_scale * module.mlp(norm(second))
    new = lanes(module, 1, (first, second), flow)
    torch.testing.assert_close(new, (a, b))
    torch.testing.assert_close(lanes.merged(a, b), lanes.merge * a + (1 - lanes.merge) * b)


@torch.no_grad()
def test_two_lanes_in_sequence() -> None:
    lanes, module, first, second, flow = _lanes("two_lane")
    keep, write = lanes.keep[1], lanes.write[1]
    a = module.attention_scale * module.attention(norm(_mixed(module, first, flow)))
    first_after, second_after = keep[0] * first + write[0, 0] * a, keep[0] * second + write[0, 1] * a
    m = module.mlp_scale * module.mlp(norm(_mixed(module, second_after, flow)))
    expected = keep[1] * first_after + write[1, 0] * m, keep[1] * second_after + write[1, 1] * m
    torch.testing.assert_close(lanes(module, 1, (first, second), flow), expected)
    torch.testing.assert_close(lanes.merged(first, second), (first + second) / 2)


@torch.no_grad()
def test_improved_lanes_read_before_they_write() -> None:
    lanes, module, first, second, flow = _lanes("improved")
    keep, write = lanes.keep[1], lanes.write[1]
    a = module.attention_scale * module.attention(norm(_mixed(module, first, flow)))
    m = module.mlp_scale * module.mlp(norm(second))
    expected = (
        keep[0] * first + write[0, 0] * a + write[1, 0] * m,
        keep[1] * second + write[0, 1] * a + write[1, 1] * m,
    )
    torch.testing.assert_close(lanes(module, 1, (first, second), flow), expected)


def test_fresh_lanes_have_the_published_weights() -> None:
    lanes = Lanes(small("model.block.parallel=improved").model)
    assert lanes.write.eq(1).all() and lanes.write.shape == (3, 2, 2)
    assert lanes.keep.eq(1.1).all() and lanes.keep.shape == (3, 2)


@torch.no_grad()
def test_whole_model_with_lanes() -> None:
    """Cloned at the first parallel block, skips into lane 0, the mean at the end."""
    model, tokens = random_model(small("model.block.parallel=improved", "model.block.parallel_from=1")), random_tokens(small())
    x0 = norm(model.embedding.table[tokens])
    x = model.blocks[0](x0, x0)
    lanes = (x + model.skips.weight[0] * x, x)
    for number in (1, 2):
        lanes = model.lanes(model.blocks[number], number, lanes, Flow(x0=x0))
    torch.testing.assert_close(model.hidden(tokens), norm((lanes[0] + lanes[1]) / 2))


@pytest.mark.parametrize("place", ["none", "before", "after"])
@pytest.mark.parametrize("gated", [False, True])
def test_skips(place: str, gated: bool) -> None:
    config = small(f"model.block.skip_norm={place}", f"model.block.skip_gates={str(gated).lower()}").model
    skips, x, skip = Skips(config, 2), randn(1, 3, 16), randn(1, 3, 16, seed=1)
    if gated:
        torch.testing.assert_close(Skips(config, 2).gate.sigmoid(), torch.full((2, 16), 0.5))
    shuffled(skips)
    w, s = skips.weight[1], norm(skip) if place == "before" else skip
    expected = w * s + skips.gate[1].sigmoid() * (x - w * s) if gated else x + w * s
    torch.testing.assert_close(skips(x, skip, 1), norm(expected) if place == "after" else expected)


def test_passes() -> None:
    names = ("pass_embedding", "film", "timestep", "loop_norm", "reinject")
    config = small("model.recurrence.loops=2", *(f"model.recurrence.{name}=true" for name in names)).model
    passes, x, x0 = shuffled(Passes(config)), randn(1, 3, 16), randn(1, 3, 16, seed=1)
    waves = torch.tensor([(math.sin if c % 2 == 0 else math.cos)(2 * 10_000.0 ** (-(c - c % 2) / 16)) for c in range(16)])
    y = norm(x) + passes.reinjected[1] * x0 + passes.embedding[2]
    y = y * (1 + passes.gamma[2]) + passes.beta[2] + passes.timestep * waves.double()
    torch.testing.assert_close(passes(x, x0, 2), y, rtol=1e-6, atol=1e-6)
    still = torch.tensor([0.0, 1.0] * 8, dtype=torch.float64)
    expected = (x + passes.embedding[0]) * (1 + passes.gamma[0]) + passes.beta[0] + passes.timestep * still
    torch.testing.assert_close(passes(x, x0, 0), expected)


def test_canon_is_a_convolution_that_stops_at_documents() -> None:
    canon, x = shuffled(Canon(3)), randn(1, 6, 3)
    documents = torch.tensor([[1, 1, 1, 2, 2, 2]])
    for numbers in (None, documents):
        expected = x.clone()
        for t in range(6):
            for j in range(4):
                if t >= j and (numbers is None or numbers[0, t] == numbers[0, t - j]):
                    expected[0, t] += canon.taps[j] * x[0, t - j]
        torch.testing.assert_close(canon(x, numbers), expected)


@pytest.mark.parametrize(
    ("name", "formula"),
    [
        ("relu2", lambda u: u.clamp(min=0) ** 2),
        ("leaky_relu2", lambda u: torch.where(u > 0, u, 0.5 * u) ** 2),
        ("relu", lambda u: u.clamp(min=0)),
        ("gelu", lambda u: u * (1 + torch.erf(u / math.sqrt(2))) / 2),
        ("silu", lambda u: u / (1 + torch.exp(-u))),
        ("sigmoid_gate", lambda u: u[..., 6:] / (1 + torch.exp(-u[..., :6]))),
    ],
)
@pytest.mark.parametrize("cap", [0.0, 0.4])
def test_activations_and_their_cap(name: str, formula: object, cap: float) -> None:
    mlp = shuffled(MLP(small(f"model.block.activation={name}", f"model.block.activation_cap={cap}").model, 6))
    x = randn(2, 3, 16).requires_grad_()
    raw = x @ mlp.up.T
    expected = formula(raw.clamp(max=cap) if cap else raw) @ mlp.down.T  # type: ignore[operator]
    result = mlp(x)
    torch.testing.assert_close(result, expected)
    for got, wanted in zip(*(torch.autograd.grad(y.square().sum(), (x, mlp.up)) for y in (result, expected)), strict=True):
        torch.testing.assert_close(got, wanted)


def test_stochastic_depth_drops_rows_by_their_tokens() -> None:
    """The share of dropped rows is the probability, what is kept is scaled up, and nothing is drawn from a generator."""
    tokens = torch.randint(40, (4000, 6), generator=torch.Generator().manual_seed(0))
    before, after = torch.zeros(4000, 1, 1), torch.ones(4000, 1, 1)
    for application in (0, 1, 7):
        result = randomly(before, after, tokens, application, 0.25)
        assert set(result.unique().tolist()) == {0.0, float(torch.tensor(1 / 0.75))}
        assert float(result.mean()) == pytest.approx(1.0, abs=0.05)
        assert torch.equal(result[:7], randomly(before[:7], after[:7], tokens[:7], application, 0.25))
    correlation = torch.corrcoef(torch.stack([draws(tokens, 0), draws(tokens, 1)]))[0, 1]
    assert abs(float(correlation)) < 0.1
    config = small("model.block.stochastic_depth=0.3").model
    assert [drop_probability(config, i, 3) for i in range(3)] == pytest.approx([0.1, 0.2, 0.3])


def test_stochastic_depth_is_for_training_alone() -> None:
    config = small("model.block.stochastic_depth=0.9")
    model, plain, tokens = random_model(config), random_model(small()), random_tokens(config, rows=8)
    with torch.no_grad():
        assert torch.equal(model(tokens), plain(tokens))
        assert (model.hidden(tokens, dropping=True) - model.hidden(tokens)).abs().max() > 1e-6


def test_soft_gates_take_shares_per_application() -> None:
    model = random_model(small("model.block.soft_gates=true", "model.block.skips=none"))
    tokens = random_tokens(small())
    with torch.no_grad():
        x0 = norm(model.embedding.table[tokens])
        x = x0
        for number in range(3):
            x = x + 2 * model.soft_gates.logits[number].sigmoid() * (model.blocks[number](x, x0) - x)
        torch.testing.assert_close(model.hidden(tokens), norm(x))
