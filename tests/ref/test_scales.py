"""Scales of rows against their formulas."""

import pytest
import torch

from pgolf_ref.quant.rtn import quantise
from pgolf_ref.quant.scales import (
    QUANTILES,
    SMALLEST,
    clip_search,
    from_deviation,
    from_deviation_and_hessian,
    from_largest,
    from_quantile,
)

WEIGHT = torch.randn(6, 400, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@pytest.mark.parametrize("bits", [2, 4, 5, 6, 7, 8])
def test_the_largest_weight_gives_the_scales_of_nearest(bits: int) -> None:
    assert torch.equal(from_largest(WEIGHT, bits), quantise(WEIGHT, bits)[1].double())


@pytest.mark.parametrize("bits", [4, 6])
def test_deviation_times_clip_is_the_largest_code(bits: int) -> None:
    scales = from_deviation(WEIGHT, bits, 12.85)
    expected = torch.stack([12.85 * ((row - row.mean()) ** 2).sum().div(399).sqrt() for row in WEIGHT])
    torch.testing.assert_close(scales * (2 ** (bits - 1) - 1), expected, rtol=1e-3, atol=0)


def test_hessian_share_of_zero_is_the_plain_deviation() -> None:
    diagonal = torch.rand(400, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    plain = from_deviation(WEIGHT, 6, 12.85)
    assert torch.equal(from_deviation_and_hessian(WEIGHT, 6, 12.85, diagonal, 0.0), plain)


def test_a_row_that_is_large_where_inputs_are_has_a_larger_scale() -> None:
    weight, diagonal = torch.tensor([[3.0, 1.0], [1.0, 3.0]]), torch.tensor([1.5, 0.5])
    scales = from_deviation_and_hessian(weight, 6, 4.0, diagonal, 0.2)
    plain = 4.0 * 2**0.5 / 31
    # weighted means 2.5 and 1.5, relative 1.25 and 0.75
    torch.testing.assert_close(scales, torch.tensor([plain * 1.05, plain * 0.95]), rtol=1e-3, atol=0)


def test_search_takes_the_quantile_with_the_least_error() -> None:
    weight = WEIGHT.clone()
    weight[:, 0] = 20.0

    def error(scales: torch.Tensor) -> float:
        steps = scales[:, None]
        return float(((weight / steps).round().clamp(-7, 7) * steps - weight).square().sum())

    found = error(clip_search(weight, 4))
    assert found == min(error(from_quantile(weight, 4, quantile)) for quantile in QUANTILES)
    assert found < error(from_largest(weight, 4))


def test_a_row_of_zeros_has_a_scale() -> None:
    zeros = torch.zeros(2, 8)
    assert from_largest(zeros, 8).tolist() == from_deviation(zeros, 8, 20.0).tolist() == [SMALLEST, SMALLEST]
