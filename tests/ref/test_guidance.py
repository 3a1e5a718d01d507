"""Bits that gradients decide: measured as a brute force does, given to whole roles of blocks, as few as the cap asks for."""

from pathlib import Path

import pytest
import torch
from runs import brisk
from threads import on_ranks
from toys import random_model, small

from pgolf_ref.clock import Clock
from pgolf_ref.config import Config
from pgolf_ref.distributed import World
from pgolf_ref.errors import UserError
from pgolf_ref.forecast import forecast
from pgolf_ref.quant.artifact import export_model
from pgolf_ref.quant.container import read_container
from pgolf_ref.quant.guidance import Unit, guided, measured
from pgolf_ref.quant.made_text import RandomTokens
from pgolf_ref.quant.routes import route
from pgolf_ref.registry import registry
from pgolf_ref.run import run_seed, with_seed

ROWS = "export.calibration_rows=7"
SIX = "export.matrix_bits=6"


def units_of(config: Config, world: World) -> tuple[Unit, ...]:
    model = random_model(config)
    with Clock().phase("calibrate") as phase:
        return measured(model, RandomTokens(model, config), config, phase, world)


def bits_of(config: Config) -> dict[str, int]:
    model = random_model(config)
    return {name: route(entry, config).bits for name, entry in registry(model).items()}


def test_units_are_measured_as_a_brute_force_measures_them() -> None:
    """The gradient of each row's mean loss by itself, squared, over rows and weights; largest first."""
    config = small(ROWS, SIX, "export.bits=['0.key=16', '1.up=5']")
    model, units = random_model(config), units_of(config, World.single())
    rows = RandomTokens(model, config).rows(0, 7)
    found: dict[str, float] = {}
    for row in rows:
        model.zero_grad()
        logits = model(row[None, :-1])
        torch.nn.functional.cross_entropy(logits[0], row[1:]).backward()
        for name, parameter in model.named_parameters():
            square = float(parameter.grad.square().mean()) / len(rows)
            found[name] = found.get(name, 0.0) + square
    part = {"query": "attention", "key": "attention", "value": "attention", "out": "attention", "up": "mlp", "down": "mlp"}
    for unit in units:
        assert unit.squared_gradient * len(rows) == pytest.approx(
            found[f"blocks.{unit.layer}.{part[unit.role]}.{unit.role}"] * len(rows)
        )
    assert len(units) == 17 and not any((unit.layer, unit.role) == (0, "key") for unit in units)
    assert {unit.bits for unit in units if (unit.layer, unit.role) == (1, "up")} == {5}
    assert [u.squared_gradient for u in units] == sorted((u.squared_gradient for u in units), reverse=True)


def test_ranks_share_the_rows_of_the_measurement() -> None:
    config = small(ROWS)
    alone = units_of(config, World.single())
    for units in on_ranks(3, lambda world: units_of(config, world)):
        assert [(unit.layer, unit.role) for unit in units] == [(unit.layer, unit.role) for unit in alone]
        assert [u.squared_gradient for u in units] == pytest.approx([u.squared_gradient for u in alone])


def test_without_time_nothing_is_measured() -> None:
    config = small(ROWS)
    model, at = random_model(config), iter(range(1000))
    with Clock(lambda: float(next(at))).phase("calibrate", 1e-9) as phase, pytest.raises(UserError, match="export.reserve_seconds"):
        measured(model, RandomTokens(model, config), config, phase, World.single())


def test_the_shares_of_the_weights_get_a_bit_more_or_fewer() -> None:
    """No more than the shares, in the order of the gradients, and not beyond what an integer can have; others keep theirs."""
    config = small(SIX, "export.guided_more=0.25", "export.guided_fewer=0.3", "export.bits=['0.up=8']")
    sizes = {"query": 256, "key": 128, "value": 128, "out": 256, "up": 512, "down": 512}
    units = tuple(
        Unit(layer, role, size, 8 if (layer, role) == (0, "up") else 6, 1.0 / (1 + number))
        for number, (layer, (role, size)) in enumerate((layer, item) for layer in range(3) for item in sizes.items())
    )
    before, after = bits_of(config), bits_of(guided(config, units))
    total, more, fewer = sum(u.weights for u in units), 0, 0
    for name, bits in after.items():
        change = bits - before[name]
        entry_size = sizes.get(name.rpartition(".")[2], 0)
        more, fewer = more + entry_size * (change == 1), fewer + entry_size * (change == -1)
        assert change in (-1, 0, 1)
    assert after["blocks.0.mlp.up"] == 8 and after["blocks.0.attention.query"] == 7 and after["blocks.2.mlp.down"] == 5
    assert more + 512 <= 0.25 * total + 512 and fewer <= 0.3 * total < fewer + 512
    assert guided(small(SIX), units) == small(SIX)
    assert sorted(set(bits_of(guided(small(), (Unit(1, "up", 512, 2, 1.0),), 1)).items()) - set(bits_of(small()).items())) == [
        ("blocks.1.mlp.up", 2)
    ]


def test_the_fewest_matrices_lose_a_bit_until_the_artifact_fits() -> None:
    """Those with the smallest gradients; one more with its bit would not fit. What fits is left as it is."""
    config = small(ROWS, "export.matrix_bits=4", "export.fit=bits")
    model, units = random_model(config), units_of(config, World.single())
    whole = export_model(model, config)
    assert export_model(model, config, {}, len(whole), units) == whole
    room = len(whole) - 60
    data = export_model(model, config, {}, room, units)
    assert len(data) <= room
    arrays, _ = read_container(data)
    largest = {name: int(abs(array).max()) for name, array in arrays.items() if name.endswith(":codes")}
    lowered = sorted(name for name, code in largest.items() if code == 3)
    count = len(lowered)
    last = {f"{unit.layer}.{unit.role}" for unit in units[len(units) - count :]}
    assert {name.split(".")[1] + "." + name.split(".")[3].partition(":")[0] for name in lowered} == last
    kept = guided(config, units, count - 1)
    assert len(export_model(model, kept)) > room
    assert export_model(model, config, {}, 100, units) == whole


def test_the_forecast_counts_the_bits() -> None:
    sizes = [
        forecast(small(SIX, f"export.guided_more={more}", f"export.guided_fewer={fewer}")).artifact_bytes
        for more, fewer in ((0.0, 1.0), (0.0, 0.3), (0.0, 0.0), (0.3, 0.0), (1.0, 0.0))
    ]
    assert sizes == sorted(sizes) and len(set(sizes)) == 5
    assert sizes[0] == forecast(small("export.bits=['matrix=5']")).artifact_bytes


def test_a_run_guides_its_bits(tmp_path: Path) -> None:
    """Together with GPTQ, which sees the bits that the gradients give."""
    settings = (ROWS, SIX, "export.guided_more=0.2", "export.guided_fewer=0.3", "export.rounding=['matrix=gptq']", "ttt.epochs=0")
    config = brisk(*settings, "run.budget_seconds=300", "export.reserve_seconds=100")
    run_seed(with_seed(config, 3, config.data.path), "# script", tmp_path, World.single())
    arrays, _ = read_container((tmp_path / "model_seed3.pgolf").read_bytes())
    largest = [int(abs(array).max()) for name, array in arrays.items() if name.endswith(":codes") and "blocks" in name]
    assert min(largest) <= 15 and max(largest) > 31
