"""Every parameter is declared, is in exactly one group, and is trained."""

import pytest
import torch
from torch import nn
from toys import CountingLoader, small, weights

from pgolf_ref.config import Config, load_recipe
from pgolf_ref.distributed import World
from pgolf_ref.model.gpt import GPT
from pgolf_ref.optim.groups import Optimizers
from pgolf_ref.registry import Group, in_group, registry

CONFIGS = [small(), small("model.tied=false"), small("model.layers=1"), load_recipe("tiny")]


@pytest.mark.parametrize("config", CONFIGS)
def test_every_parameter_is_in_exactly_one_group(config: Config) -> None:
    model = GPT(config.model)
    grouped = [id(parameter) for group in Group for parameter in in_group(model, group)]
    assert sorted(grouped) == sorted(id(parameter) for parameter in model.parameters())
    assert set(registry(model)) == {name for name, _ in model.named_parameters()}


def test_groups_of_the_model() -> None:
    entries = registry(GPT(small("model.tied=false").model))
    assert {name for name, entry in entries.items() if entry.group is Group.EMBEDDING} == {"embedding.table"}
    assert {name for name, entry in entries.items() if entry.group is Group.HEAD} == {"head.weight"}
    matrices = {name.rpartition(".")[2] for name, entry in entries.items() if entry.group is Group.MATRIX}
    assert matrices == {"query", "key", "value", "out", "up", "down"}
    assert entries["blocks.2.attention.key"].layer == 2
    assert entries["skips.weight"].layer is None
    assert entries["blocks.0.attention.key"].shape == (8, 16)
    assert entries["blocks.0.attention.key"].count == 128


def test_an_undeclared_parameter_is_an_error() -> None:
    model = GPT(small().model)
    model.blocks[0].extra = nn.Parameter(torch.zeros(3))
    with pytest.raises(TypeError, match="Block declares no group for its parameter 'extra'"):
        registry(model)


@pytest.mark.parametrize("config", CONFIGS[:2])
def test_every_parameter_gets_a_gradient_and_moves(config: Config) -> None:
    """Within three steps of real training: no dead branch, nothing that an optimizer forgot."""
    torch.manual_seed(0)
    model = GPT(config.model).double()
    optimizers = Optimizers(model, config.optim, World.single())
    before, had_gradient = weights(model), set()
    loader = CountingLoader(config)
    for step in range(3):
        model.loss(*loader.batch(step, 0)).backward()
        had_gradient |= {name for name, p in model.named_parameters() if p.grad is not None and p.grad.abs().max() > 0}
        optimizers.step(1.0, 0.9)
        optimizers.zero_grad()
    assert had_gradient == set(registry(model))
    assert all(not torch.equal(old, new) for old, new in zip(before, weights(model), strict=True))
