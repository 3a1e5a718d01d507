"""Artifacts that are made to fit into a number of bytes."""

import datetime
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import distributed
from toys import random_model, small

from pgolf_ref.config import Config
from pgolf_ref.distributed import World
from pgolf_ref.quant.artifact import export_model, load_model, quantised_matrices, write_quantised
from pgolf_ref.quant.container import read_container
from pgolf_ref.quant.fit import smallest, without

# Codes of a few values, so that some are +-1.
COARSE = ("export.matrix_bits=4", "export.embedding_bits=4", "export.scales=['matrix=deviation', 'embedding=deviation']")


def plain(*overrides: str) -> tuple[Config, int]:
    config = small(*COARSE, *overrides)
    return config, len(export_model(random_model(config), config))


@pytest.mark.parametrize("way", ["ones", "clips"])
def test_the_artifact_fits_and_what_fits_is_left_alone(way: str) -> None:
    config, size = plain(f"export.fit={way}")
    model = random_model(config)
    whole = export_model(model, config)
    assert export_model(model, config, room=size) == whole
    data = export_model(model, config, room=size - 100)
    assert size - 400 <= len(data) <= size - 100
    load_model(data)


def test_the_fewest_codes_are_pruned_and_only_ones() -> None:
    """One code fewer would not fit; the zeroed ones stand for no more than any that is left."""
    config, size = plain("export.fit=ones")
    model = random_model(config)
    codes = quantised_matrices(model, config, {})
    data = export_model(model, config, room=size - 100)
    before, after = (
        torch.cat([torch.from_numpy(found[f"{name}:codes"]).flatten() for name in codes])
        for found in (read_container(artifact)[0] for artifact in (export_model(model, config), data))
    )
    units = torch.cat([matrix.scales.float()[:, None].expand(matrix.codes.shape).flatten() for matrix in codes.values()])
    changed = before != after
    count = int(changed.sum())
    assert bool((before[changed].abs() == 1).all()) and not after[changed].any()
    assert units[changed].max() <= units[(after.abs() == 1)].min()
    order = (before.abs() == 1).nonzero().flatten()
    order = order[units[order].square().argsort(stable=True)]
    assert write_quantised(model, config, without(codes, order[:count])) == data
    assert len(write_quantised(model, config, without(codes, order[: count - 1]))) > size - 100


def test_what_cannot_fit_is_left_as_it_is() -> None:
    for way in ("ones", "clips"):
        config, _ = plain(f"export.fit={way}")
        model = random_model(config)
        assert export_model(model, config, room=100) == export_model(model, config)


@given(st.lists(st.integers(0, 50), min_size=1, max_size=300), st.integers(0, 5000), st.integers(0, 400))
def test_the_smallest_number_that_fits_is_found(falls: list[int], room: int, first: int) -> None:
    """Sizes that fall in uneven steps, some of them by nothing."""
    sizes = [sum(falls[i:]) for i in range(len(falls) + 1)]
    found = smallest(lambda number: bytes(sizes[number]), len(falls), first, room)
    assert found == bytes(next(size for size in sizes if size <= room))


def test_few_artifacts_are_made_on_the_way() -> None:
    """Sizes that fall by the logarithm of the factor, as those of artifacts do: no more than five for a factor near one."""
    tried = []

    def made(step: int) -> bytes:
        tried.append(step)
        return bytes(round(1e5 - 3e4 * math.log2(1 + step / 256)))

    for short in (1, 200, 1000, 2000):
        tried.clear()
        found = smallest(made, 768, 16, 100_000 - short)
        assert found is not None and 100_000 - short - 200 < len(found) <= 100_000 - short
        assert len(tried) <= 5
    assert smallest(made, 768, 16, 0) is None


def test_the_other_ranks_wait_for_a_search(monkeypatch: pytest.MonkeyPatch) -> None:
    """Longer than the ten minutes that a collective waits for a rank of its own accord."""
    asked: dict[str, datetime.timedelta] = {}
    monkeypatch.setattr(distributed, "init_process_group", lambda backend, **settings: asked.update(settings))
    monkeypatch.setattr(distributed, "get_rank", lambda: 1)
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert World.from_environment("cpu").rank == 1
    assert asked["timeout"] >= datetime.timedelta(minutes=30)
