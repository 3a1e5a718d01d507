"""GPTQ against a column-by-column reference, and its properties."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from pgolf_ref.quant.descent import descend
from pgolf_ref.quant.gptq import GPTQSettings, best_of_both, gptq, qronos, row_errors
from pgolf_ref.quant.rounding import largest_code, nearest


def case(seed: int, rows: int, columns: int, correlation: float, batch: int = 1) -> tuple[Tensor, Tensor]:
    """Weights and Hessians of correlated inputs, float64."""
    generator = torch.Generator().manual_seed(seed)
    weight = torch.randn(batch, rows, columns, generator=generator, dtype=torch.float64)
    noise = torch.randn(batch, 4 * columns, columns, generator=generator, dtype=torch.float64)
    shared = torch.randn(batch, 4 * columns, 1, generator=generator, dtype=torch.float64)
    inputs = noise + correlation * shared
    return weight, inputs.mT @ inputs


def step_sizes(weight: Tensor, bits: int) -> Tensor:
    return weight.abs().amax(dim=-1) / largest_code(bits)


def column_by_column(weight: Tensor, hessian: Tensor, scales: Tensor, bits: int, damping: float) -> Tensor:
    """One matrix: round a column, then move the free columns to where the error is least, by the inverse over them."""
    columns, limit = weight.size(1), largest_code(bits)
    dead = hessian.diagonal() == 0
    order = hessian.diagonal().argsort(descending=True, stable=True)
    damped = hessian + torch.diag(damping * hessian.diagonal().mean() + dead.double())
    work, codes = weight.clone().masked_fill(dead, 0), torch.zeros_like(weight)
    for place in range(columns):
        free = order[place:]
        inverse = torch.linalg.inv(damped[free][:, free])
        column = order[place]
        codes[:, column] = (work[:, column] / scales).round().clamp(-limit, limit)
        error = (work[:, column] - codes[:, column] * scales) / inverse[0, 0]
        work[:, free] -= error[:, None] * inverse[0]
    return codes


@pytest.mark.parametrize("block", [1, 5, 128])
def test_codes_are_those_of_the_reference(block: int) -> None:
    weight, hessian = case(0, 6, 24, 1.0, batch=2)
    hessian[1, 3, :] = hessian[1, :, 3] = 0
    scales = step_sizes(weight, 4)
    codes = gptq(weight, hessian, scales, 4, GPTQSettings(block=block, damping=0.01))
    for index in range(2):
        assert torch.equal(codes[index], column_by_column(weight[index], hessian[index], scales[index], 4, 0.01))
    assert not codes[1, :, 3].any()


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("bits", [3, 4, 6])
def test_error_is_below_that_of_nearest(seed: int, bits: int) -> None:
    weight, hessian = case(seed, 32, 64, 2.0)
    assert torch.linalg.cond(hessian[0]) >= 10
    scales = step_sizes(weight, bits)
    errors = [
        row_errors(weight, codes, scales, hessian).sum()
        for codes in (gptq(weight, hessian, scales, bits), nearest(weight, scales, bits))
    ]
    assert errors[0] < errors[1]


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**20), st.integers(1, 5), st.integers(1, 20), st.integers(2, 8), st.floats(0, 10))
def test_best_of_both_is_never_worse_than_nearest(seed: int, rows: int, columns: int, bits: int, correlation: float) -> None:
    weight, hessian = case(seed, rows, columns, correlation)
    scales = step_sizes(weight, bits)
    codes, plain = best_of_both(weight, hessian, scales, bits), nearest(weight, scales, bits)
    assert bool((row_errors(weight, codes, scales, hessian) <= row_errors(weight, plain, scales, hessian)).all())
    assert int(codes.abs().max()) <= largest_code(bits)
    again = gptq(codes * scales.unsqueeze(-1), hessian, scales, bits)
    assert torch.equal(again, codes)


def test_without_correlation_it_is_nearest() -> None:
    weight, _ = case(1, 8, 32, 0)
    scales = step_sizes(weight, 4)
    assert torch.equal(gptq(weight, torch.eye(32).double()[None], scales, 4), nearest(weight, scales, 4))


def test_the_size_of_the_hessian_does_not_matter() -> None:
    weight, hessian = case(2, 8, 32, 1.0)
    scales = step_sizes(weight, 4)
    assert torch.equal(gptq(weight, hessian * 1024, scales, 4), gptq(weight, hessian, scales, 4))


def test_a_hessian_of_one_input_is_taken_in_single_precision() -> None:
    """Of rank one, but for the damping."""
    generator = torch.Generator().manual_seed(0)
    weight, x = torch.randn(1, 8, 1024, generator=generator), torch.randn(1, 1, 1024, generator=generator) * 100
    scales, hessian = step_sizes(weight, 6), x.mT @ x
    codes = gptq(weight, hessian, scales, 6, GPTQSettings(damping=1e-4))
    assert row_errors(weight, codes, scales, hessian).sum() < row_errors(weight, nearest(weight, scales, 6), scales, hessian).sum()


# Coordinate descent


def greedy(weight: Tensor, hessian: Tensor, scale: float, bits: int, codes: Tensor) -> Tensor:
    """One row: try every column with its neighbouring codes' best, take the change that lowers the error most, until none does."""
    limit, codes = largest_code(bits), codes.clone()

    def error(candidate: Tensor) -> float:
        e = weight - candidate * scale
        return float(e @ hessian @ e)

    while True:
        now, best = error(codes), None
        for column in range(len(weight)):
            for code in range(-limit, limit + 1):
                changed = codes.clone()
                changed[column] = code
                if error(changed) < now * (1 - 1e-6) and (best is None or error(changed) < error(best)):
                    best = changed
        if best is None:
            return codes
        codes = best


def test_descent_is_that_of_a_search_over_single_codes() -> None:
    weight, hessian = case(3, 5, 8, 2.0)
    scales = step_sizes(weight, 3)
    start = nearest(weight, scales, 3)
    found = descend(weight, hessian, scales, 3, start, 100)
    for row in range(5):
        assert torch.equal(found[0, row], greedy(weight[0, row], hessian[0], float(scales[0, row]), 3, start[0, row]))


def test_descent_lowers_what_gptq_leaves_and_then_changes_nothing() -> None:
    weight, hessian = case(4, 32, 64, 2.0, batch=2)
    hessian[1, 3, :] = hessian[1, :, 3] = 0
    scales = step_sizes(weight, 4)
    start = best_of_both(weight, hessian, scales, 4)
    found = descend(weight, hessian, scales, 4, start, 500)
    before, after = (row_errors(weight, codes, scales, hessian) for codes in (start, found))
    assert bool((after <= before * (1 + 1e-9)).all()) and float(after.sum()) < float(before.sum())
    assert int(found.abs().max()) <= 7
    assert torch.equal(descend(weight, hessian, scales, 4, found, 500), found)


# Qronos


def one_by_one(weight: Tensor, inputs: Tensor, changed: Tensor, scale: float, bits: int) -> Tensor:
    """One row, by the two steps of the paper: correct with the next column, then move the free ones to where the error is least."""
    limit, work, codes = largest_code(bits), weight.clone(), torch.zeros_like(weight)
    wanted = inputs @ weight
    for column in range(len(weight)):
        rest = wanted - changed[:, :column] @ (codes[:column] * scale) - changed[:, column + 1 :] @ work[column + 1 :]
        best = changed[:, column] @ rest / changed[:, column].square().sum()
        codes[column] = (best / scale).round().clamp(-limit, limit)
        left = wanted - changed[:, : column + 1] @ (codes[: column + 1] * scale)
        if column + 1 < len(weight):
            work[column + 1 :] = torch.linalg.lstsq(changed[:, column + 1 :], left[:, None]).solution[:, 0]
    return codes


def mismatched(seed: int, rows: int, columns: int) -> tuple[Tensor, Tensor, Tensor]:
    """Weights, inputs, and inputs that something before has changed."""
    generator = torch.Generator().manual_seed(seed)
    weight = torch.randn(rows, columns, generator=generator, dtype=torch.float64)
    shared = torch.randn(200, 1, generator=generator, dtype=torch.float64)
    inputs = torch.randn(200, columns, generator=generator, dtype=torch.float64) + shared
    return weight, inputs, inputs + 0.3 * torch.randn(200, columns, generator=generator, dtype=torch.float64)


def test_qronos_is_that_of_the_paper() -> None:
    weight, inputs, changed = mismatched(0, 6, 12)
    scales = step_sizes(weight, 4)
    settings = GPTQSettings(damping=0.0, act_order=False)
    hessian, cross = changed.T @ changed, changed.T @ inputs
    codes = qronos(weight[None], hessian[None], cross[None], scales[None], 4, settings)[0]
    for row in range(6):
        expected = one_by_one(weight[row], inputs, changed, float(scales[row]), 4)
        errors = [float((inputs @ weight[row] - changed @ (c * scales[row])).square().sum()) for c in (codes[row], expected)]
        assert torch.equal(codes[row], expected) or errors[0] < errors[1]


def test_qronos_undoes_more_of_the_change_than_gptq() -> None:
    weight, inputs, changed = mismatched(1, 32, 64)
    scales, hessian, cross = step_sizes(weight, 6), changed.T @ changed, changed.T @ inputs
    found = [
        qronos(weight[None], hessian[None], cross[None], scales[None], 6)[0],
        gptq(weight[None], hessian[None], scales[None], 6)[0],
    ]
    errors = [float((inputs @ weight.T - changed @ (codes * scales[:, None]).T).square().sum()) for codes in found]
    assert errors[0] < errors[1]


def test_qronos_of_inputs_that_did_not_change_is_gptq() -> None:
    weight, inputs, _ = mismatched(2, 8, 24)
    scales, hessian = step_sizes(weight, 4), inputs.T @ inputs
    same = qronos(weight[None], hessian[None], hessian[None], scales[None], 4)
    assert torch.equal(same, best_of_both(weight[None], hessian[None], scales[None], 4))
