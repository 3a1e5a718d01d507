"""Initial weights of matrices."""

import math

import torch
from torch import Tensor, nn

from pgolf_ref.config import ModelConfig


def matrix(config: ModelConfig, rows: int, columns: int) -> nn.Parameter:
    """(rows, columns), by `model.matrix_init`."""
    return nn.Parameter(orthogonal(rows, columns) if config.matrix_init == "orthogonal" else uniform(rows, columns))


def uniform(rows: int, columns: int) -> Tensor:
    """(rows, columns), uniform in +-1/sqrt(columns): the default of a linear layer."""
    bound = 1 / math.sqrt(columns)
    return torch.empty(rows, columns).uniform_(-bound, bound)


def orthogonal(rows: int, columns: int) -> Tensor:
    """(rows, columns) with singular values of 1."""
    return nn.init.orthogonal_(torch.empty(rows, columns))
