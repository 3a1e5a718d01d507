"""Corrections of low rank."""

from collections.abc import Callable

import pytest
import torch

from pgolf_ref.quant.low_rank import Correction, asymmetric, symmetric
from pgolf_ref.quant.rtn import dequantise, quantise

GENERATOR = torch.Generator().manual_seed(0)
# Rounding leaves an error of high rank; rows and columns of unlike size give it the large directions that a correction takes.
WEIGHT = torch.randn(48, 128, generator=GENERATOR) * torch.linspace(0.1, 3, 48)[:, None]


@pytest.mark.parametrize("correct", [symmetric, asymmetric])
@pytest.mark.parametrize("rank", [1, 4, 8])
def test_it_reduces_the_error(correct: Callable[[torch.Tensor, int], Correction], rank: int) -> None:
    error = WEIGHT - dequantise(*quantise(WEIGHT, 4))
    correction = correct(error, rank)
    assert float((error - correction.expanded()).norm()) < float(error.norm())
    assert correction.left.shape == (48, rank)
    assert correction.right.shape == (rank, 128)


def test_codes_keep_to_their_range() -> None:
    correction = asymmetric(torch.randn(48, 128, generator=GENERATOR), 4)
    assert int(correction.left.min()) >= -2 and int(correction.left.max()) <= 1
    assert int(correction.right.min()) >= -8 and int(correction.right.max()) <= 7
    assert (correction.left_scales.numel(), correction.right_scales.numel()) == (1, 8)


def test_without_a_whole_number_of_groups_a_scale_is_that_of_a_row() -> None:
    assert asymmetric(torch.randn(10, 30, generator=GENERATOR), 3).right_scales.numel() == 3


@pytest.mark.parametrize("correct", [symmetric, asymmetric])
def test_rank_0_corrects_nothing(correct: Callable[[torch.Tensor, int], Correction]) -> None:
    assert not correct(WEIGHT, 0).expanded().any()


def test_a_matrix_of_that_rank_is_nearly_restored() -> None:
    error = torch.outer(torch.ones(16), torch.tensor([1.0, -1.0] * 16))
    torch.testing.assert_close(symmetric(error, 1).expanded(), error, rtol=2e-3, atol=0)
