"""The model against slow, literal computations of the same thing, and its causality."""

import cmath
import math

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given, settings
from torch.nn import functional as F
from toys import random_model, random_tokens, small

from pgolf_ref.config import load_recipe
from pgolf_ref.model import loss as loss_module
from pgolf_ref.model.attention import Attention
from pgolf_ref.model.causal import causal_attention
from pgolf_ref.model.gpt import GPT
from pgolf_ref.model.loss import softcapped_cross_entropy
from pgolf_ref.model.mlp import MLP
from pgolf_ref.model.norm import rms_norm
from pgolf_ref.model.plan import layer_plan, skip_count
from pgolf_ref.model.rotary import rotary_tables, rotate

CONFIG = small()


def test_naive_has_the_official_parameter_count() -> None:
    """The recipe `naive` is the official baseline, to the parameter."""
    with torch.device("meta"):
        model = GPT(load_recipe("naive").model)
    assert sum(p.numel() for p in model.parameters()) == 17_059_912


@given(position=st.integers(0, CONFIG.data.seq_len - 2), seed=st.integers(0, 2**16))
@settings(max_examples=25, deadline=None)
def test_logits_ignore_later_tokens(position: int, seed: int) -> None:
    """Changing every token after a position leaves the logits up to it as they were, and changes later ones."""
    model, tokens = random_model(CONFIG, seed % 5), random_tokens(CONFIG, seed=seed)
    changed = tokens.clone()
    changed[:, position + 1 :] = (changed[:, position + 1 :] + 1) % CONFIG.model.vocab_size
    with torch.no_grad():
        before, after = model(tokens), model(changed)
    torch.testing.assert_close(after[:, : position + 1], before[:, : position + 1], rtol=0, atol=1e-12)
    assert (after[:, position + 1 :] - before[:, position + 1 :]).abs().max() > 1e-6


def test_every_earlier_token_reaches_the_last_logits() -> None:
    """Attention sees the whole past: the first token alone changes the last position."""
    model, tokens = random_model(CONFIG), random_tokens(CONFIG)
    changed = tokens.clone()
    changed[:, 0] = (changed[:, 0] + 1) % CONFIG.model.vocab_size
    with torch.no_grad():
        assert (model(tokens)[:, -1] - model(changed)[:, -1]).abs().min() > 0


def _normalised(vector: list[float]) -> list[float]:
    mean_square = sum(v * v for v in vector) / len(vector) + torch.finfo(torch.float64).eps
    return [v / math.sqrt(mean_square) for v in vector]


def _turned(vector: list[float], position: int, base: float) -> list[float]:
    """Pairs (i, i + D/2) as complex numbers, times exp(-i position base^(-2i/D))."""
    half = len(vector) // 2
    pairs = [complex(vector[i], vector[i + half]) * cmath.exp(-1j * position * base ** (-2 * i / len(vector))) for i in range(half)]
    return [z.real for z in pairs] + [z.imag for z in pairs]


def _literal_attention(attention: Attention, x: torch.Tensor) -> torch.Tensor:
    """One sequence (T, d), head by head and position by position."""
    c = attention.config
    size, group = c.head_dim, c.heads // c.kv_heads
    q, k, v = (x @ w.T for w in (attention.query, attention.key, attention.value))
    result = torch.zeros(len(x), c.dim, dtype=torch.float64)

    def head(projected: torch.Tensor, position: int, number: int) -> list[float]:
        part = projected[position, number * size : (number + 1) * size].tolist()
        return _turned(_normalised(part), position, c.attention.rope_base)

    for h in range(c.heads):
        for t in range(len(x)):
            query = [float(attention.gain[h]) * value for value in head(q, t, h)]
            scores = [
                sum(a * b for a, b in zip(query, head(k, s, h // group), strict=True)) / math.sqrt(size) for s in range(t + 1)
            ]
            total = sum(math.exp(score) for score in scores)
            for s, score in enumerate(scores):
                value = v[s, (h // group) * size : (h // group + 1) * size]
                result[t, h * size : (h + 1) * size] += math.exp(score) / total * value
    return result @ attention.out.T


def test_attention_is_what_the_formula_says() -> None:
    """Grouped queries, QK norm, rotary positions and gains against a literal float64 loop."""
    attention = random_model(CONFIG).blocks[1].attention
    x = torch.randn(2, 7, CONFIG.model.dim, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        expected = torch.stack([_literal_attention(attention, row) for row in x])
        torch.testing.assert_close(attention(x), expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize(("length", "heads", "kv_heads"), [(150, 6, 2), (64, 2, 2), (5, 4, 1)])
def test_blockwise_attention_is_that_of_torch(length: int, heads: int, kv_heads: int) -> None:
    """In value and gradient, for lengths that are no multiple of the block, with and without groups."""
    generator = torch.Generator().manual_seed(0)
    q, k, v = (
        torch.randn(2, length, n, 8, dtype=torch.float64, generator=generator, requires_grad=True)
        for n in (heads, kv_heads, kv_heads)
    )
    d_out = torch.randn(2, length, heads * 8, dtype=torch.float64, generator=generator)
    ours = causal_attention(q, k, v)
    plain = F.scaled_dot_product_attention(*(x.transpose(1, 2) for x in (q, k, v)), is_causal=True, enable_gqa=True)
    plain = plain.transpose(1, 2).flatten(2)
    torch.testing.assert_close(ours, plain)
    for got, expected in zip(
        torch.autograd.grad(ours, (q, k, v), d_out), torch.autograd.grad(plain, (q, k, v), d_out), strict=True
    ):
        torch.testing.assert_close(got, expected)


def test_whole_model_is_its_blocks_in_plan_order() -> None:
    """The forward pass against the U-Net written out for three layers."""
    model, tokens = random_model(CONFIG), random_tokens(CONFIG)
    with torch.no_grad():
        x0 = F.rms_norm(model.embedding.table[tokens], (CONFIG.model.dim,))
        first = model.blocks[0](x0, x0)
        second = model.blocks[1](first + model.skips.weight[0] * first, x0)
        last = F.rms_norm(model.blocks[2](second, x0), (CONFIG.model.dim,))
        cap = CONFIG.model.softcap
        torch.testing.assert_close(model(tokens), cap * torch.tanh(last @ model.embedding.table.T / cap))


def test_block_is_what_the_formula_says() -> None:
    model = random_model(CONFIG)
    block = model.blocks[0]
    x, x0 = torch.randn(2, 2, 5, CONFIG.model.dim, dtype=torch.float64)
    with torch.no_grad():
        y = block.resid_mix[0] * x + block.resid_mix[1] * x0
        y = y + block.attention_scale * block.attention(F.rms_norm(y, (CONFIG.model.dim,)))
        hidden = F.rms_norm(y, (CONFIG.model.dim,)) @ block.mlp.up.T
        y = y + block.mlp_scale * (hidden.clamp(min=0) ** 2 @ block.mlp.down.T)
        torch.testing.assert_close(block(x, x0), y)


def test_plan_of_nine_layers() -> None:
    skips = [(step.block, step.skip, step.source) for step in layer_plan(9) if step.skip is not None]
    assert skips == [(4, 0, 3), (5, 1, 2), (6, 2, 1), (7, 3, 0)]


@given(layers=st.integers(1, 40))
def test_plan_uses_every_block_and_skip_once(layers: int) -> None:
    plan = layer_plan(layers)
    assert [step.block for step in plan] == list(range(layers))
    sources = [step.source for step in plan if step.source is not None]
    assert sorted(sources, reverse=True) == sources
    assert len(set(sources)) == skip_count(plan) == layers // 2
    assert all(step.source < i for i, step in enumerate(plan) if step.source is not None)


@pytest.mark.parametrize("block", [1, 40 * 3, 10**6])
def test_loss_and_gradient_are_those_of_the_plain_formula(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the size of the blocks in which the logits are computed."""
    monkeypatch.setattr(loss_module, "CPU_BLOCK", block)
    generator = torch.Generator().manual_seed(0)
    hidden = torch.randn(11, 6, dtype=torch.float64, generator=generator, requires_grad=True)
    weight = torch.randn(40, 6, dtype=torch.float64, generator=generator, requires_grad=True)
    targets = torch.randint(40, (11,), generator=generator)
    ours = softcapped_cross_entropy(hidden, weight, targets, 2.5)
    plain = F.cross_entropy(2.5 * torch.tanh(hidden @ weight.T / 2.5), targets)
    torch.testing.assert_close(ours, plain)
    gradients = (torch.autograd.grad(3 * value, (hidden, weight)) for value in (ours, plain))
    for got, expected in zip(*gradients, strict=True):
        torch.testing.assert_close(got, expected)


def test_loss_survives_saturated_logits() -> None:
    """A target at the lower cap and another token at the upper one: 60 nats in float32, not infinity."""
    weight = torch.tensor([[1e4], [-1e4]])
    loss = softcapped_cross_entropy(torch.ones(1, 1), weight, torch.tensor([1]), 30.0)
    assert float(loss) == pytest.approx(60.0)


def test_loss_of_the_model_is_the_cross_entropy_of_its_logits() -> None:
    model, tokens, targets = random_model(CONFIG), random_tokens(CONFIG), random_tokens(CONFIG, seed=1)
    expected = F.cross_entropy(model(tokens).flatten(0, 1), targets.flatten())
    torch.testing.assert_close(model.loss(tokens, targets), expected)


def test_written_out_gradients() -> None:
    """The hand-written gradients of norm, rotation and squared ReLU against finite differences."""
    x = torch.randn(2, 3, 2, 4, dtype=torch.float64, requires_grad=True)
    scale = torch.randn(2, 1, dtype=torch.float64, requires_grad=True)
    cos, sin = rotary_tables(3, 4, 100.0, x.device, x.dtype)
    assert torch.autograd.gradcheck(rms_norm, (x,))
    assert torch.autograd.gradcheck(rms_norm, (x, scale))
    assert torch.autograd.gradcheck(lambda y: rotate(y, cos, sin), (x,))
    mlp = MLP(small("model.dim=4", "model.heads=2", "model.kv_heads=1").model, 8).double()
    torch.nn.init.normal_(mlp.down)
    assert torch.autograd.gradcheck(mlp, (x,))


def test_norm_is_that_of_torch() -> None:
    x = torch.randn(3, 5, 8)
    torch.testing.assert_close(rms_norm(x), F.rms_norm(x, (8,)))


@given(shift=st.integers(0, 30), distance=st.integers(0, 30))
@settings(max_examples=20, deadline=None)
def test_rotary_scores_depend_on_distance_alone(shift: int, distance: int) -> None:
    cos, sin = rotary_tables(64, 8, 10_000.0, torch.device("cpu"), torch.float64)
    q, k = torch.randn(2, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(1))

    def score(first: int, second: int) -> torch.Tensor:
        rows = torch.zeros(1, 64, 1, 8, dtype=torch.float64)
        at_q, at_k = rows.clone(), rows.clone()
        at_q[0, first, 0], at_k[0, second, 0] = q, k
        return rotate(at_q, cos, sin)[0, first, 0] @ rotate(at_k, cos, sin)[0, second, 0]

    torch.testing.assert_close(score(distance + shift, shift), score(distance, 0))


def test_training_works_after_inference_mode() -> None:
    """Rotary tables made while evaluating can be used in a backward pass."""
    model, tokens = random_model(CONFIG), random_tokens(CONFIG)
    rotary_tables.cache_clear()
    with torch.inference_mode():
        model.loss(tokens, tokens)
    model.loss(tokens, tokens).backward()


def test_bfloat16_activations_give_nearly_the_same_loss() -> None:
    torch.manual_seed(0)
    model, tokens = GPT(CONFIG.model), random_tokens(CONFIG)
    half = GPT(CONFIG.model, torch.bfloat16)
    half.load_state_dict(model.state_dict())
    loss = half.loss(tokens, tokens)
    loss.backward()
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(model.loss(tokens, tokens).item(), abs=2e-2)


def test_fresh_model_knows_nothing() -> None:
    """The first loss is the logarithm of the vocabulary, nearly."""
    torch.manual_seed(0)
    loss = GPT(CONFIG.model).loss(random_tokens(CONFIG), random_tokens(CONFIG, seed=1))
    assert loss.item() == pytest.approx(math.log(CONFIG.model.vocab_size), abs=0.1)
