"""The parts of attention against literal float64 computations of their formulas."""

import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F
from toys import random_model, small

from pgolf_ref.data.pieces import BOS
from pgolf_ref.errors import UserError
from pgolf_ref.model.attention import Attention
from pgolf_ref.model.causal import causal_attention
from pgolf_ref.model.documents import boundaries, mask, segments
from pgolf_ref.model.exclusive import Exclusion
from pgolf_ref.model.flow import SLOTS, Flow, Values
from pgolf_ref.model.gates import HeadGate
from pgolf_ref.model.kernels import PREFERENCE, attend, chosen, computed, described, works
from pgolf_ref.model.rotary import raised_base, rotary_tables, rotate, rotate_first
from pgolf_ref.model.values import ValueEmbedding, ValueResidual


def randn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def attention(*overrides: str, layer: int = 1) -> Attention:
    found = random_model(small(*(f"model.attention.{override}" for override in overrides))).blocks[layer].attention
    assert isinstance(found, Attention)
    return found


def test_exclusive_attention_is_orthogonal_to_the_own_value() -> None:
    y, v = randn(2, 5, 6, 4).requires_grad_(), randn(2, 5, 3, 4, seed=1).requires_grad_()
    result = Exclusion("full")(y, v)
    own = v.repeat_interleave(2, dim=2)
    assert (result * own).sum(dim=-1).abs().max() < 1e-12
    unit = own / own.norm(dim=-1, keepdim=True)
    expected = y - (y * unit).sum(dim=-1, keepdim=True) * unit
    torch.testing.assert_close(result, expected)
    for got, wanted in zip(*(torch.autograd.grad(x.pow(3).sum(), (y, v)) for x in (result, expected)), strict=True):
        torch.testing.assert_close(got, wanted)


def test_exclusive_attention_of_one_position_is_zero() -> None:
    """It sees itself alone, and takes that out."""
    module = attention("xsa_last=3")
    with torch.no_grad():
        assert module(randn(2, 1, 16)).abs().max() < 1e-12


def test_scaled_and_cosine_exclusion() -> None:
    y, v = randn(1, 3, 2, 4), randn(1, 3, 1, 4, seed=1)
    unit = F.normalize(v, dim=-1)
    along = (y * unit).sum(dim=-1, keepdim=True)
    scaled = Exclusion("scaled").double()
    torch.testing.assert_close(scaled(y, v), y - scaled.share.sigmoid() * along * unit)
    cosine = (along / y.norm(dim=-1, keepdim=True)).abs()
    torch.testing.assert_close(Exclusion("cosine")(y, v), y - cosine * along * unit)


def test_value_residuals() -> None:
    v, first, latest = randn(1, 3, 4), randn(1, 3, 4, seed=1), randn(1, 3, 4, seed=2)
    pair, sigmoid, cascade = (ValueResidual(form, 0.3).double() for form in ("pair", "sigmoid", "cascade"))
    with torch.no_grad():
        pair.mix.copy_(torch.tensor([0.2, 0.9]))
        sigmoid.mix.fill_(0.7)
    seen = Values(first, latest)
    torch.testing.assert_close(pair(v, seen), 0.2 * first + 0.9 * v)
    torch.testing.assert_close(pair(v, Values()), 1.1 * v)
    torch.testing.assert_close(sigmoid(v, seen), v + first / (1 + math.exp(-0.7)))
    torch.testing.assert_close(cascade(v, seen), 0.7 * v + 0.3 * latest)


def test_values_pass_from_block_to_block() -> None:
    """The first values are those of block 0 before anything is added; the latest are those that attention used."""
    module, x = attention("value_residual=pair", "x0_value=0.5"), randn(1, 4, 16)
    x0, first, extra = randn(1, 4, 16, seed=1), randn(1, 4, 8, seed=2), randn(1, 4, 8, seed=3)
    values = Values(first)
    module(x, Flow(values=values, value_embedding=extra, x0=x0))
    own = x @ module.value.T + module.x0_scale * (x0 @ module.value.T)
    assert values.first is first
    torch.testing.assert_close(values.latest, module.residual.mix[0] * first + module.residual.mix[1] * own + extra)


def test_the_first_values_are_those_before_anything_earlier_is_mixed_in() -> None:
    """Block 0 with `pair` uses a multiple of its values and hands on the values themselves."""
    module, x, values = attention("value_residual=pair", layer=0), randn(1, 4, 16), Values()
    module(x, Flow(values=values))
    own = x @ module.value.T
    torch.testing.assert_close(values.first, own)
    torch.testing.assert_close(values.latest, module.residual.mix.sum() * own)


def test_value_embedding() -> None:
    module = ValueEmbedding(small("model.attention.value_embedding_layers=[2, 0]").model).double()
    with torch.no_grad():
        module.layer_scales.copy_(torch.tensor([2.0, 3.0]))
    tokens = torch.tensor([[5, 6, 5]])
    found = module(tokens, torch.float64)
    plain = 0.1 * module.table[tokens] @ module.projection.T
    torch.testing.assert_close(found[2], 2 * plain)
    torch.testing.assert_close(found[0], 3 * plain)


@pytest.mark.parametrize("form", ["bias", "dense", "output", "sparse"])
def test_gates(form: str) -> None:
    config = small(f"model.attention.gate={form}", "model.attention.gate_scale=0.5", "model.attention.gate_window=6").model
    gate, x, queries = HeadGate(config).double(), randn(2, 3, 16), randn(2, 3, 16, seed=1)
    fresh = {"bias": 0.98201379, "output": 1.0, "sparse": 0.5}
    if form in fresh:
        torch.testing.assert_close(gate(x, queries), torch.full((2, 3, 4, 1), fresh[form], dtype=torch.float64))
    with torch.no_grad():
        gate.weight.copy_(randn(*gate.weight.shape, seed=2))
    logits = x[..., : 6 if form in ("output", "sparse") else 16] @ gate.weight.T
    factor, scale, shift = (2 if form == "output" else 1), (0.5 if form == "sparse" else 1), (4 if form == "bias" else 0)
    torch.testing.assert_close(gate(x, queries).squeeze(-1), factor / (1 + torch.exp(-(scale * logits + shift))))


def test_a_gate_multiplies_each_head_before_the_output_matrix() -> None:
    gated, x = attention("gate=dense"), randn(1, 5, 16)
    plain = attention()
    plain.load_state_dict(gated.state_dict(), strict=False)
    with torch.no_grad():
        plain.out.copy_(torch.eye(16))
        heads = plain(x).view(1, 5, 4, 4) * gated.gate(x, x)
        torch.testing.assert_close(gated(x), heads.flatten(2) @ gated.out.T)


def test_gains_of_the_heads_lie_on_a_line() -> None:
    gain = Attention(small("model.attention.q_gain=1.5", "model.attention.q_gain_last=3.0").model).gain
    torch.testing.assert_close(gain, torch.tensor([1.5, 2.0, 2.5, 3.0]))


def test_partial_rotation_leaves_the_other_channels() -> None:
    x = randn(1, 6, 2, 8)
    cos, sin = rotary_tables(6, 4, 100.0, x.device, x.dtype)
    turned = rotate_first(x, cos, sin)
    assert torch.equal(turned[..., 4:], x[..., 4:])
    torch.testing.assert_close(turned[..., :4], rotate(x[..., :4], cos, sin))
    cos, sin = rotary_tables(6, 8, 100.0, x.device, x.dtype)
    assert torch.equal(rotate_first(x, cos, sin), rotate(x, cos, sin))


def test_a_base_is_raised_for_longer_rows_alone() -> None:
    assert raised_base(1e4, 16, 1024, 1024) == raised_base(1e4, 16, 4096, 0) == 1e4
    assert raised_base(1e4, 16, 2048, 1024) == pytest.approx(1e4 * 2 ** (16 / 14))


def test_yarn_divides_slow_rotations() -> None:
    cos, sin = rotary_tables(3, 16, 100.0, torch.device("cpu"), torch.float64, 4.0)
    for i in range(8):
        share = 2 * i / 16
        ramp = min(1.0, max(0.0, (share - 0.25) / 0.75))
        angle = 2 * 100.0**-share / (ramp * (4.0 - 1) + 1)
        assert float(cos[2, 0, i]) == pytest.approx(math.cos(angle))
        assert float(sin[2, 0, i]) == pytest.approx(math.sin(angle))


def test_tables_do_not_depend_on_the_order_of_calls() -> None:
    """Long, short, long again: as many positions as asked for, and the same angles."""
    tables = [rotary_tables(length, 8, 1e4, torch.device("cpu"), torch.float64)[0] for length in (32, 16, 32)]
    assert torch.equal(tables[0], tables[2])
    assert torch.equal(tables[0][:16], tables[1])


def test_blocks_without_positions_see_a_set() -> None:
    """Exchanging earlier positions changes nothing at the last one."""
    module, x = attention("nope_layers=[1]"), randn(1, 5, 16)
    with torch.no_grad():
        torch.testing.assert_close(module(x)[:, -1], module(x[:, [2, 0, 3, 1, 4]])[:, -1])
        assert (attention()(x)[:, -1] - attention()(x[:, [2, 0, 3, 1, 4]])[:, -1]).abs().max() > 1e-6


def test_bases_are_dealt_to_the_blocks_in_turns() -> None:
    x = randn(1, 5, 16)
    for layer, base in enumerate((50.0, 7.0, 50.0)):
        many = attention("rope_bases=[50.0, 7.0]", layer=layer)
        one = attention(f"rope_base={base}", layer=layer)
        with torch.no_grad():
            assert torch.equal(many(x), one(x))


def test_documents_of_a_row() -> None:
    tokens = torch.tensor([[7, 7, BOS, 7, 7, 7, 7, BOS], [BOS, 7, 7, 7, 7, 7, 7, 7]])
    assert segments(tokens).tolist() == [[1, 1, 2, 2, 2, 2, 2, 3], [1] * 8]
    assert segments(tokens, 3).tolist() == [[1, 1, 2, 2, 2, 3, 3, 4], [1, 1, 1, 2, 2, 2, 3, 3]]
    ends, longest = boundaries(segments(tokens))
    assert ends.tolist() == [0, 2, 7, 8, 16]
    assert longest == 8
    seen = mask(segments(tokens))
    for t in range(8):
        for s in range(8):
            assert bool(seen[0, 0, t, s]) == (s <= t and int(segments(tokens)[0, t]) == int(segments(tokens)[0, s]))


@pytest.mark.parametrize("documents", [False, True])
def test_implementations_agree(documents: bool) -> None:
    """All that work here, in value and gradient, with those of a softmax written out."""
    q, k, v = randn(2, 40, 4, 8), randn(2, 40, 2, 8, seed=1), randn(2, 40, 2, 8, seed=2)
    tokens = torch.full((2, 40), 7)
    tokens[:, 13] = BOS
    numbers = segments(tokens) if documents else None
    seen = mask(segments(tokens)) if documents else torch.ones(40, 40, dtype=torch.bool).tril()
    inputs = [x.requires_grad_() for x in (q, k, v)]
    keys, values = (x.repeat_interleave(2, dim=2).transpose(1, 2) for x in (k, v))
    scores = (q.transpose(1, 2) @ keys.mT / math.sqrt(8)).masked_fill(~seen, -math.inf)
    expected = (scores.softmax(dim=-1) @ values).transpose(1, 2).flatten(2)
    wanted = torch.autograd.grad(expected.square().sum(), inputs)
    names = [name for name in PREFERENCE if works(name, "cpu", torch.float64, documents)]
    assert "math" in names
    for name in names:
        result = attend(q, k, v, numbers, name)
        torch.testing.assert_close(result, expected)
        for got, right in zip(torch.autograd.grad(result.square().sum(), inputs), wanted, strict=True):
            torch.testing.assert_close(got, right)


def test_an_implementation_that_does_not_work_is_told() -> None:
    with pytest.raises(UserError, match="attention 'fa3' does not work on cpu"):
        chosen("fa3", "cpu", torch.float32, False)
    with pytest.raises(UserError, match="with documents"):
        chosen("blockwise", "cpu", torch.float32, True)
    with pytest.raises(ValueError, match="no documents"):
        computed("blockwise", *(randn(1, 2, 1, 4) for _ in range(3)), torch.ones(1, 2, dtype=torch.int64))


def test_the_choice_is_announced() -> None:
    assert described(chosen("auto", "cpu", torch.float32, False), False) == "attention:blockwise"
    assert described(chosen("math", "cpu", torch.float32, True), True) == "attention:math documents"


def test_grouped_heads_are_repeated_heads() -> None:
    q, k, v = randn(1, 9, 6, 4), randn(1, 9, 2, 4, seed=1), randn(1, 9, 2, 4, seed=2)
    repeated = causal_attention(q, k.repeat_interleave(3, dim=2), v.repeat_interleave(3, dim=2))
    torch.testing.assert_close(causal_attention(q, k, v), repeated)


def test_adapters_change_what_they_are_given() -> None:
    """Each slot is asked once per block, the last one once, and an adapter that returns the output changes nothing."""
    config = small()
    model = random_model(config)
    tokens = torch.arange(12).view(1, 12)
    asked: list[tuple[int, str]] = []

    def watching(number: int):  # type: ignore[no-untyped-def]
        def adapt(slot: str, given: Tensor, output: Tensor) -> Tensor:
            asked.append((number, slot))
            return output

        return adapt

    with torch.no_grad():
        assert torch.equal(model(tokens, watching), model(tokens))
        of_blocks = [(number, slot) for number in range(3) for slot in ("query", "key", "value", "attention", "mlp")]
        assert asked == [*of_blocks, (3, "head")]
        assert set(SLOTS) == {slot for _, slot in asked}
        for slot in SLOTS:
            changed = model(tokens, lambda _, wanted=slot: lambda name, given, output: output + given[..., :1] * (name == wanted))
            assert (changed - model(tokens)).abs().max() > 1e-9, slot
