"""What Qronos is told of the inputs behind rounded matrices: that they are those of the model that is written."""

import copy

import pytest
import torch
from torch import Tensor
from toys import random_model, small

from pgolf_ref.clock import Clock
from pgolf_ref.config import Config
from pgolf_ref.distributed import World
from pgolf_ref.model.gpt import GPT
from pgolf_ref.quant.artifact import quantised_matrices
from pgolf_ref.quant.calibration import calibrate
from pgolf_ref.quant.made_text import RandomTokens
from pgolf_ref.quant.statistics import InputStatistics, Recorder

QRONOS = (
    "export.rounding=['matrix=qronos']",
    "export.matrix_bits=3",
    "export.embedding_bits=4",
    "export.calibration_rows=16",
    "export.gptq_damping=0.01",
)
PRODUCTS = (("query", "key", "value"), ("out",), ("up",), ("down",))  # of a block, one after the other


def gathered(model: GPT, config: Config) -> dict[str, InputStatistics]:
    with Clock().phase("calibrate") as phase:
        return calibrate(model, RandomTokens(model, config), config, phase, World.single())


def with_matrices(model: GPT, matrices: dict[str, Tensor]) -> GPT:
    copied = copy.deepcopy(model)
    with torch.no_grad():
        for name, parameter in copied.named_parameters():
            if name in matrices:
                parameter.copy_(matrices[name])
    return copied


def place(name: str) -> int:
    """The number of the product that a matrix takes part in."""
    _, block, _, role = name.split(".")
    return int(block) * len(PRODUCTS) + next(number for number, roles in enumerate(PRODUCTS) if role in roles)


@pytest.mark.parametrize("passes", [0, 1, 2, 4, 12, 99])
def test_inputs_are_those_behind_matrices_that_are_whole_or_as_they_are_written(passes: int) -> None:
    """Behind the first so many products as they are written; all that come before, if there are as many passes."""
    config = small(*QRONOS, f"export.qronos_passes={passes}")
    model = random_model(config).float()
    found, tokens = gathered(model, config), RandomTokens(model, config).rows(0, 16)
    written = {name: each.expanded() for name, each in quantised_matrices(model, config, found).items()}
    whole = Recorder(model, found).recorded(tokens)
    behind: dict[str, list[int]] = {name: [] for name in found}
    for count in range(12):
        kept = {name: matrix for name, matrix in written.items() if name not in found or place(name) < count}
        changed = Recorder(with_matrices(model, kept), found).recorded(tokens)
        for (name, x), (_, y) in zip(whole, changed, strict=True):
            pairs = ((found[name].hessian, y.T @ y / len(x)), (found[name].correlation, y.T @ x / len(x)))
            if all(torch.allclose(mine, theirs, rtol=1e-4, atol=1e-4) for mine, theirs in pairs):
                behind[name].append(count)
    for name, counts in behind.items():
        assert counts and counts[0] <= place(name), name
        assert 0 < passes < 12 or place(name) in counts, name
    assert len({min(counts) for counts in behind.values()}) == min(passes or 12, 12)
