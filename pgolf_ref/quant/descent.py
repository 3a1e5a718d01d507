"""CDQuant (Nair and Suggala 2024): from given codes on, greedy coordinate descent on the error e H e^T of every row.

In each step every row changes the one code whose best value lowers its error most. Invariant: no step makes the error of a row larger;
codes that no single change improves stay.
"""

import torch
from torch import Tensor

from pgolf_ref.quant.rounding import steps_of, to_codes

LEAST = 1e-6  # of a row's error: a smaller gain is rounding


def descend(weight: Tensor, hessian: Tensor, scales: Tensor, bits: int, codes: Tensor, steps: int) -> Tensor:
    """Codes (batch, rows, columns) after at most so many steps; the other shapes are those of `gptq`."""
    codes, sizes, divisors = codes.clone(), scales.unsqueeze(-1), steps_of(scales).unsqueeze(-1)
    diagonal = torch.diagonal(hessian, dim1=-2, dim2=-1).unsqueeze(-2)
    curvature = torch.where(diagonal > 0, diagonal, torch.inf)
    error = weight - codes * sizes
    gradient = error @ hessian
    least = LEAST * (gradient * error).sum(dim=-1, keepdim=True)
    for _ in range(steps):
        best = to_codes(weight - error + gradient / curvature, divisors, bits)
        change = (codes - best) * sizes
        gain, column = (-change * (2 * gradient + change * diagonal)).max(dim=-1, keepdim=True)
        moves = gain > least
        if not moves.any():
            break
        moved = torch.where(moves, change.gather(-1, column), 0)
        error.scatter_add_(-1, column, moved)
        codes.scatter_(-1, column, torch.where(moves, best.gather(-1, column), codes.gather(-1, column)))
        gradient += moved * hessian.gather(-2, column.expand(-1, -1, hessian.size(-1)))
    return codes
