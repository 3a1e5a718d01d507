"""The size of an artifact, foreseen before training."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from toys import CountingLoader, toy_vocabulary

from pgolf_ref import log
from pgolf_ref.clock import Clock
from pgolf_ref.config import load_recipe, recipe_names
from pgolf_ref.config.export import FITS
from pgolf_ref.config.scale import tiny
from pgolf_ref.distributed import World
from pgolf_ref.forecast import CODE_BYTES, TRAINED_DEVIATION, code_entropy, forecast
from pgolf_ref.model.gpt import GPT
from pgolf_ref.quant.artifact import export_model
from pgolf_ref.quant.calibration import calibrate
from pgolf_ref.quant.made_text import RandomTokens
from pgolf_ref.registry import registry
from pgolf_ref.train import train

WITHOUT = ("export.fit=none", "export.calibration_rows=4", "model.vocab_size=1024")


@pytest.mark.parametrize(
    ("name", "overrides"),
    [
        ("naive", ()),
        ("naive", ("export.scales=['matrix=deviation']", "export.clips=['matrix=8']", "export.matrix_bits=4")),
        ("sp8192", ()),
    ],
)
def test_the_forecast_is_within_five_percent_of_a_trained_model(name: str, overrides: tuple[str, ...]) -> None:
    small = tiny(load_recipe(name, [*WITHOUT, *overrides]))
    config = replace(small, run=replace(small.run, steps=5))
    model = train(config, CountingLoader(config), Clock(), log.silent(), vocabulary=toy_vocabulary(1024)).model
    with Clock().phase("calibrate") as phase:
        found = calibrate(model, RandomTokens(model, config), config, phase, World.single())
    assert forecast(config).artifact_bytes == pytest.approx(len(export_model(model, config, found)), rel=0.05)


def test_where_scales_have_a_floor_the_spread_of_the_weights_counts() -> None:
    """Of normal weights that spread as those of a trained model do: within 5 %."""
    config = tiny(load_recipe("pr375", [*WITHOUT, "export.codec=brotli"]))
    model = GPT(config.model)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, entry in registry(model).items():
            model.get_parameter(name).copy_(torch.randn(entry.shape, generator=generator) * TRAINED_DEVIATION.get(entry.role, 1.0))
    small_codes = len(export_model(model, config))
    assert forecast(config).artifact_bytes == pytest.approx(small_codes, rel=0.05)
    free = replace(config, export=replace(config.export, scale_floor=0.0))
    assert forecast(free).artifact_bytes > 1.1 * small_codes


def test_what_is_made_to_fit_is_forecast_to_fit() -> None:
    """Within what the fit can change; the room is the cap less the code."""
    sizes = {
        fit: forecast(load_recipe("sp8192", [f"export.fit={fit}", "export.cap_bytes=14000000"])).artifact_bytes for fit in FITS
    }
    room = 14_000_000 - CODE_BYTES
    assert sizes["none"] > room
    assert [sizes["clips"], sizes["bits"]] == pytest.approx([room, room], abs=100)
    beyond = [forecast(load_recipe("naive", [f"export.fit={fit}", "export.cap_bytes=3000000"])).artifact_bytes for fit in FITS]
    assert len(set(beyond)) == 1


@pytest.mark.parametrize("name", recipe_names())
def test_no_recipe_is_forecast_over_its_cap(name: str) -> None:
    config = load_recipe(name)
    assert forecast(config).artifact_bytes < config.export.cap_bytes


@pytest.mark.parametrize(("largest", "bits", "pruned"), [(12.85, 6, 0.0), (3.0, 4, 0.0), (20.0, 8, 0.0), (4.0, 8, 0.05)])
def test_the_entropy_of_codes_is_that_of_a_sample(largest: float, bits: int, pruned: float) -> None:
    weights = np.random.default_rng(0).standard_normal(400_000)
    weights[np.abs(weights) < np.quantile(np.abs(weights), pruned)] = 0
    limit = 2 ** (bits - 1) - 1
    codes = np.clip(np.round(weights / largest * limit), -limit, limit)
    shares = np.unique(codes, return_counts=True)[1] / len(codes)
    assert code_entropy(largest, bits, pruned) == pytest.approx(-(shares * np.log2(shares)).sum(), abs=0.01)


def test_the_published_approximation_holds_where_steps_are_small() -> None:
    assert code_entropy(20.0, 8) == pytest.approx(0.5 * math.log2(2 * math.pi * math.e) - math.log2(20 / 127), abs=0.01)
