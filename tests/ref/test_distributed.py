"""Two processes that exchange gradients are one process."""

import dataclasses
import itertools
import math
import os
import socket
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given
from threads import on_ranks
from torch import Tensor, nn
from toys import CountingLoader, largest_difference, small, weights

from pgolf_ref.clock import Clock
from pgolf_ref.config import Config, OptimConfig
from pgolf_ref.distributed import World
from pgolf_ref.errors import UserError
from pgolf_ref.log import silent
from pgolf_ref.optim.groups import Optimizers
from pgolf_ref.registry import Group
from pgolf_ref.train import train


def _train_rank(rank: int, size: int, port: int, folder: str, config: Config) -> None:
    torch.set_num_threads(1)
    os.environ.update(RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE=str(size), MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
    world = World.from_environment("cpu")
    # Only the clock of rank 0 counts: the others are past their budget at once.
    clock = Clock(lambda: 0.0) if world.is_main else Clock(itertools.count(0, 10**6).__next__)
    result = train(config, CountingLoader(config), clock, silent(), world=world)
    torch.save(weights(result.model), Path(folder) / f"{rank}.pt")
    world.close()


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.mark.parametrize(
    ("size", "overrides"),
    [
        (2, ["optim.neuron_beta2=0.9"]),
        (3, ["optim.banked=false"]),
        (3, ["run.dtype=float32"]),
        (4, []),
        (5, []),
    ],
)
def test_ranks_give_the_weights_of_one(tmp_path: Path, size: int, overrides: list[str]) -> None:
    """Three layers and four slots, which few numbers of ranks share evenly; clipping and averaging are on."""
    config = small("optim.clip_norm=0.5", "optim.ema_horizon=0.2", "run.budget_seconds=60", *overrides)
    torch.multiprocessing.spawn(_train_rank, (size, _free_port(), str(tmp_path), config), nprocs=size)
    ranks = [torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in range(size)]
    alone = weights(train(config, CountingLoader(config), Clock(lambda: 0.0), silent()).model)
    assert all(largest_difference(ranks[0], other) == 0.0 for other in ranks[1:])
    assert largest_difference(ranks[0], alone) < (1e-3 if config.run.dtype == "float32" else 1e-9)


@given(size=st.integers(1, 9), count=st.integers(1, 16))
def test_ranks_share_the_slots_as_evenly_as_possible(size: int, count: int) -> None:
    shares = [list(World(rank, size, torch.device("cpu")).slots(count)) for rank in range(size)]
    assert sorted(slot for share in shares for slot in share) == list(range(count))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_a_missing_gpu_is_explained() -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    with pytest.raises(UserError, match="no usable GPU"):
        World.single("cuda")


# Parallel Muon

SHAPES = ((4, 6), (6, 4), (4, 6), (5, 5), (4, 6), (4, 6))


class Bank(nn.Module):
    """Matrices of three shapes, and gains."""

    GROUPS = {"gains": Group.SCALAR, "matrices": Group.MATRIX} | {str(i): Group.MATRIX for i in range(len(SHAPES))}

    def __init__(self) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(1)
        for i, shape in enumerate(SHAPES):
            self.register_parameter(str(i), nn.Parameter(torch.randn(shape, dtype=torch.float64, generator=generator)))
        self.gains = nn.Parameter(torch.randn(7, dtype=torch.float64, generator=generator))


def gradients(rank: int, step: int) -> list[Tensor]:
    """Of the parameters of a bank, one set for every rank."""
    generator = torch.Generator().manual_seed(100 * rank + step)
    return [torch.randn(shape, dtype=torch.float64, generator=generator) for shape in (*SHAPES, (7,))]


def steps(
    world: World, optim: OptimConfig, ranks: range, state: dict[str, Tensor] | None = None
) -> tuple[list[Tensor], Any, list[float]]:
    """Weights, state and norms after three steps, of which this process has the gradients of some ranks; `state` replaces that of step 2."""
    bank = Bank()
    optimizers, norms = Optimizers(bank, optim, world), []
    for step in range(3):
        for parameter, *found in zip(bank.parameters(), *(gradients(rank, step) for rank in ranks), strict=True):
            parameter.grad = torch.stack(found).sum(0)
        norms.append(float(optimizers.step(0.5, 0.9)))
        if step == 1 and state is not None:
            optimizers.load_state_dict(state)
    return weights(bank), optimizers.state_dict(), norms


@pytest.mark.parametrize("banked", [True, False])
@pytest.mark.parametrize("clip", [0.0, 0.5])
@pytest.mark.parametrize("size", [2, 3, 4, 7])
def test_shares_of_banks_take_the_step_of_one_process(size: int, clip: float, banked: bool) -> None:
    """Gradients of which no rank has all, matrices that no number of ranks shares evenly, one norm for all."""
    optim = dataclasses.replace(
        small("optim.neuron_beta2=0.9", "optim.row_normalised=true", "optim.matrix_decay=0.1").optim, clip_norm=clip, banked=banked
    )
    alone, state, norms = steps(World.single("cpu"), optim, range(size))
    found = on_ranks(size, lambda world: steps(world, optim, range(world.rank, world.rank + 1)))
    whole = [torch.cat([sum(gradients(rank, step)[i] for rank in range(size)).flatten() for i in range(7)]) for step in range(3)]
    assert norms == pytest.approx([float(gradient.norm()) for gradient in whole], rel=1e-12)
    for others, kept, theirs in found:
        assert largest_difference(alone, others) < 1e-9 and theirs == pytest.approx(norms, rel=1e-12)
        assert kept.keys() == state.keys() and largest_difference(list(kept.values()), list(state.values())) < 1e-9
        assert largest_difference(others, found[0][0]) == 0.0


def test_a_state_is_that_of_any_number_of_ranks() -> None:
    """Three ranks write it, two go on from it; the momentum is in it."""
    optim = small().optim
    state = on_ranks(3, lambda world: steps(world, optim, range(world.rank, world.rank + 1)))[0][1]
    assert sum(value.numel() for name, value in state.items() if "momentum" in name) == sum(math.prod(shape) for shape in SHAPES)
    alone, _, _ = steps(World.single("cpu"), optim, range(2), state)
    for others, _, _ in on_ranks(2, lambda world: steps(world, optim, range(world.rank, world.rank + 1), state)):
        assert largest_difference(alone, others) < 1e-9
    assert largest_difference(alone, steps(World.single("cpu"), optim, range(2))[0]) > 1e-3


def test_clipping_is_that_of_torch() -> None:
    """With one process: the same norm and the same scale."""
    bank, clip = Bank(), 0.5
    for parameter, gradient in zip(bank.parameters(), gradients(0, 0), strict=True):
        parameter.grad = gradient.clone()
    optimizers = Optimizers(bank, dataclasses.replace(small().optim, clip_norm=clip), World.single("cpu"))
    optimizers._muon.exchange()
    norm = optimizers._clipped()
    theirs = [nn.Parameter(gradient.clone()) for gradient in gradients(0, 0)]
    for parameter, gradient in zip(theirs, gradients(0, 0), strict=True):
        parameter.grad = gradient
    assert float(norm) == pytest.approx(float(nn.utils.clip_grad_norm_(theirs, clip)), rel=1e-12)
    assert bank.gains.grad is not None and theirs[-1].grad is not None
    torch.testing.assert_close(bank.gains.grad, theirs[-1].grad, rtol=1e-12, atol=0)
