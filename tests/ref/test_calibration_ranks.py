"""Statistics do not depend on how many processes share the rows of a calibration."""

import os
from pathlib import Path

import torch
from test_distributed import _free_port
from toys import random_model, small

from pgolf_ref.clock import Clock
from pgolf_ref.config import Config
from pgolf_ref.distributed import World
from pgolf_ref.quant.calibration import calibrate
from pgolf_ref.quant.made_text import RandomTokens
from pgolf_ref.quant.statistics import InputStatistics


def found(config: Config, world: World) -> dict[str, InputStatistics]:
    model = random_model(config)
    with Clock().phase("calibrate") as phase:
        return calibrate(model, RandomTokens(model, config), config, phase, world)


def _calibrate_rank(rank: int, size: int, port: int, folder: str, config: Config) -> None:
    torch.set_num_threads(1)
    os.environ.update(RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE=str(size), MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
    world = World.from_environment("cpu")
    torch.save({name: each.hessian for name, each in found(config, world).items()}, Path(folder) / f"{rank}.pt")
    world.close()


def test_ranks_share_the_rows_of_a_calibration(tmp_path: Path) -> None:
    """Seven rows for three processes, of which one has none in the last pass."""
    config = small("export.rounding=['matrix=gptq', 'embedding=gptq']", "export.calibration_rows=7")
    torch.multiprocessing.spawn(_calibrate_rank, (3, _free_port(), str(tmp_path), config), nprocs=3)
    ranks = [torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in range(3)]
    alone = found(config, World.single())
    assert all(set(rank) == set(alone) for rank in ranks)
    for name, each in alone.items():
        assert all(torch.equal(rank[name], ranks[0][name]) for rank in ranks)
        torch.testing.assert_close(ranks[0][name], each.hessian, rtol=1e-5, atol=1e-5)
