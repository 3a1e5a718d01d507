"""Two processes that exchange gradients are one process."""

import itertools
import os
import socket
from pathlib import Path

import pytest
import torch
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


def test_two_ranks_give_the_weights_of_one(tmp_path: Path) -> None:
    """Three layers give stacks that two ranks cannot share evenly; clipping and averaging are on."""
    config = small("optim.clip_norm=0.5", "optim.ema_horizon=0.2", "run.budget_seconds=60")
    torch.multiprocessing.spawn(_train_rank, (2, _free_port(), str(tmp_path), config), nprocs=2)
    ranks = [torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in range(2)]
    alone = weights(train(config, CountingLoader(config), Clock(lambda: 0.0), silent()).model)
    assert largest_difference(*ranks) == 0.0
    assert largest_difference(ranks[0], alone) < 1e-9


@pytest.mark.parametrize("size", [1, 2, 4])
def test_ranks_share_the_slots_without_overlap(size: int) -> None:
    shares = [list(World(rank, size, torch.device("cpu")).slots(4)) for rank in range(size)]
    assert sorted(slot for share in shares for slot in share) == [0, 1, 2, 3]
    assert len({len(share) for share in shares}) == 1


def test_ranks_that_do_not_divide_the_slots_are_refused() -> None:
    with pytest.raises(UserError, match=r"data.slots \(4\) must be a multiple of the number of processes \(3\)"):
        World(0, 3, torch.device("cpu")).slots(4)


def test_a_missing_gpu_is_explained() -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    with pytest.raises(UserError, match="no usable GPU"):
        World.single("cuda")
