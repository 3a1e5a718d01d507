"""Two processes that exchange gradients are one process."""

import itertools
import os
import socket
from pathlib import Path

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given
from toys import CountingLoader, largest_difference, small, weights

from pgolf_ref.clock import Clock
from pgolf_ref.config import Config
from pgolf_ref.distributed import World
from pgolf_ref.errors import UserError
from pgolf_ref.log import silent
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
