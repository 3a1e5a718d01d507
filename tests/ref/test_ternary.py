"""Ternary weights against their formula, and their packings."""

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from toys import CountingLoader, random_model, random_tokens, small

from pgolf_ref.distributed import World
from pgolf_ref.model.gpt import GPT
from pgolf_ref.optim.groups import Optimizers
from pgolf_ref.quant.artifact import export_model, format_in_words, format_name, load_model
from pgolf_ref.quant.container import read_container
from pgolf_ref.quant.ternary import (
    PACKERS,
    expand,
    latent,
    pack_base3,
    pack_bitmask,
    pack_smallest,
    straight_through,
    ternarise,
    unpack_base3,
    unpack_bitmask,
)
from pgolf_ref.registry import Group, registry

CODES = st.lists(st.sampled_from([-1, 0, 1]), max_size=70).map(lambda codes: np.array(codes, dtype=np.int8))


def matrix(rows: int = 3, columns: int = 20, seed: int = 0) -> torch.Tensor:
    return torch.randn(rows, columns, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("group", [8, 20, 32])
def test_codes_and_scales_are_what_the_formula_says(group: int) -> None:
    """Element by element; the last group of a row holds what is left."""
    weight = matrix()
    codes, scales = ternarise(weight, group)
    for row in range(3):
        for number, start in enumerate(range(0, 20, group)):
            part = weight[row, start : start + group].tolist()
            scale = sum(abs(w) for w in part) / len(part)
            assert float(scales[row, number]) == pytest.approx(scale, rel=1e-12)
            assert codes[row, start : start + group].tolist() == [max(-1, min(1, round(w / scale))) for w in part]
    assert torch.equal(expand(codes, scales, group), codes * scales.repeat_interleave(group, 1)[:, :20])


def test_the_gradient_goes_straight_through() -> None:
    weight = matrix().requires_grad_()
    outer = matrix(seed=1)
    effective = straight_through(weight, 8)
    (gradient,) = torch.autograd.grad((effective * outer).sum(), weight)
    assert torch.equal(gradient, outer)
    torch.testing.assert_close(effective, expand(*ternarise(weight.detach(), 8), 8))


def test_restored_weights_ternarise_to_what_they_were_made_from() -> None:
    """The correction for zeros: without it the scale of a group would shrink by its share of zeros."""
    codes, scales = ternarise(matrix(), 8)
    again, scales_again = ternarise(latent(codes, scales, 8), 8)
    assert torch.equal(again, codes)
    torch.testing.assert_close(scales_again, scales)
    _, shrunk = ternarise(expand(codes, scales, 8), 8)
    assert (shrunk < scales * 0.95).any()


def test_a_group_of_zeros_stays_zero() -> None:
    codes, scales = ternarise(torch.zeros(2, 10), 4)
    assert not codes.any() and not scales.any()
    assert not latent(codes, scales, 4).any()


@pytest.mark.parametrize("name", PACKERS)
@given(codes=CODES)
@settings(deadline=None)
def test_packing_is_lossless_and_takes_its_own_bytes_alone(name: str, codes: np.ndarray) -> None:
    pack, unpack = PACKERS[name]
    data = pack(codes)
    assert np.array_equal(unpack(data, len(codes)), codes)
    with pytest.raises(ValueError, match="do not hold"):
        unpack(data + b"\0", len(codes))
    if len(codes):
        with pytest.raises(ValueError, match="do not hold"):
            unpack(data[:-1], len(codes))


def test_a_byte_beyond_the_codes_is_refused() -> None:
    with pytest.raises(ValueError, match="base-3"):
        unpack_base3(bytes([243]), 5)
    with pytest.raises(ValueError, match="masked"):
        unpack_bitmask(b"", 1)


def test_the_smaller_packing_is_taken() -> None:
    dense, sparse = np.ones(400, dtype=np.int8), np.zeros(400, dtype=np.int8)
    assert pack_smallest(dense) == ("base3", pack_base3(dense))
    assert pack_smallest(sparse) == ("bitmask", pack_bitmask(sparse))
    assert len(pack_base3(dense)) == 80 and len(pack_bitmask(sparse)) == 50


# In a model

TERNARY = ("model.ternary_group=8",)


def test_a_ternary_model_computes_with_codes_and_scales() -> None:
    """Beside a plain model whose block matrices are set to the ternary ones: the same logits."""
    config, plain_config = small(*TERNARY), small()
    model, plain = random_model(config), GPT(plain_config.model).double()
    weights = {name.replace("parametrizations.", "").replace(".original", ""): p for name, p in model.named_parameters()}
    matrices = {name for name, entry in registry(plain).items() if entry.group is Group.MATRIX}
    with torch.no_grad():
        for name, parameter in plain.named_parameters():
            parameter.copy_(expand(*ternarise(weights[name], 8), 8) if name in matrices else weights[name])
        tokens = random_tokens(config)
        torch.testing.assert_close(model(tokens), plain(tokens))


def test_a_ternary_model_has_the_parameters_and_groups_of_a_plain_one() -> None:
    entries, plain = registry(GPT(small(*TERNARY).model)), registry(GPT(small().model))
    assert sorted((e.group, e.shape, e.layer or 0) for e in entries.values()) == sorted(
        (e.group, e.shape, e.layer or 0) for e in plain.values()
    )


def test_a_ternary_model_is_trained() -> None:
    config = small(*TERNARY)
    torch.manual_seed(0)
    model = GPT(config.model).double()
    optimizers, loader, had_gradient = Optimizers(model, config.optim, World.single()), CountingLoader(config), set()
    for step in range(3):
        model.loss(*loader.batch(step, 0)).backward()
        had_gradient |= {key for key, p in model.named_parameters() if p.grad is not None and p.grad.abs().max() > 0}
        optimizers.step(1.0, 0.9)
        optimizers.zero_grad()
    assert had_gradient == set(registry(model))


def test_an_artifact_of_ternary_blocks_gives_back_what_they_compute() -> None:
    """Scales are rounded to half precision, and all else to 8-bit floats; the codes are exact."""
    config = small(*TERNARY, "export.float8=true")
    model = random_model(config).float()
    data = export_model(model, config)
    loaded = load_model(data)
    assert export_model(loaded, config) == data
    for block, restored in zip(model.blocks, loaded.blocks, strict=True):
        for name in ("query", "key", "value", "out"):
            got, expected = getattr(restored.attention, name), getattr(block.attention, name)
            assert torch.equal(got.sign(), expected.sign())
            torch.testing.assert_close(got, expected, rtol=2e-3, atol=0)
    table = model.embedding.table.to(torch.float8_e4m3fn).float()
    assert torch.equal(loaded.embedding.table, table)
    arrays, _ = read_container(data)
    assert {array.dtype.name for array in arrays.values()} == {"uint8", "float16", "float32"}
    assert format_name(config) == "ternary" and "ternary with one float16 scale per 8 columns" in format_in_words(config)
