"""Ternary weights against their formula, and their packings."""

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given

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
