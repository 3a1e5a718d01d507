"""The temperature of the logits: fitted on training tokens, used wherever the model scores, one number in the artifact."""

from pathlib import Path

import numpy as np
import pytest
import torch
from corpora import VOCAB, prepared
from runs import brisk
from threads import on_ranks
from toys import CountingLoader, random_model, random_tokens, small

from pgolf_ref.clock import Clock
from pgolf_ref.config import Config
from pgolf_ref.data.dataset import open_dataset
from pgolf_ref.data.loader import Loader
from pgolf_ref.distributed import World
from pgolf_ref.errors import UserError
from pgolf_ref.model.gpt import GPT
from pgolf_ref.quant.artifact import export_model, load_model
from pgolf_ref.quant.sources import TrainingWindows
from pgolf_ref.run import run_seed, score_windows, with_seed
from pgolf_ref.temperature import CANDIDATES, fit_temperature

ON = "model.head.temperature=true"
ROWS = "export.calibration_rows=7"


def model_of(config: Config, temperature: float = 1.0) -> GPT:
    model = random_model(config)
    with torch.no_grad():
        model.head.temperature.fill_(temperature)
    return model


def fitted(model: GPT, config: Config, world: World) -> float:
    with Clock().phase("calibrate") as phase:
        return fit_temperature(model, TrainingWindows(Loader(config), config), config, phase, world)


def test_logits_are_divided_and_the_loss_is_that_of_the_logits() -> None:
    config = small(ON)
    tokens = random_tokens(config)
    plain = random_model(small())
    warm = model_of(config, 0.8)
    warm.load_state_dict(plain.state_dict(), strict=False)
    assert torch.equal(warm(tokens), plain(tokens) / warm.head.temperature)
    expected = torch.nn.functional.cross_entropy(warm(tokens).flatten(0, 1), tokens.flatten())
    torch.testing.assert_close(warm.loss(tokens, tokens), expected)


@pytest.mark.parametrize("sharper", [0.5, 1.0, 2.0])
def test_the_best_of_the_candidates_is_found(sharper: float) -> None:
    """By brute force over the same rows, for a model whose logits are too flat, right or too sharp in turn."""
    config = brisk(ON, ROWS, "run.dtype=float64")
    model = model_of(config)
    with torch.no_grad():
        model.embedding.table.mul_(sharper)
    rows = TrainingWindows(Loader(config), config).rows(0, 7)
    with torch.no_grad():
        logits = model(rows[:, :-1])
    losses = [float(torch.nn.functional.cross_entropy((logits / t).flatten(0, 1), rows[:, 1:].flatten())) for t in CANDIDATES]
    before = [p.clone() for name, p in model.named_parameters() if name != "head.temperature"]
    assert fitted(model, config, World.single()) == CANDIDATES[int(np.argmin(losses))]
    assert float(model.head.temperature) == CANDIDATES[int(np.argmin(losses))]
    after = [p for name, p in model.named_parameters() if name != "head.temperature"]
    assert all(torch.equal(old, new) for old, new in zip(before, after, strict=True))


def test_ranks_share_the_rows_and_find_one_temperature() -> None:
    config = brisk(ON, ROWS, "run.dtype=float64")
    alone = fitted(model_of(config), config, World.single())
    assert on_ranks(3, lambda world: fitted(model_of(config), config, world)) == [alone] * 3


def test_training_does_not_change_it_and_the_artifact_holds_it() -> None:
    config = small(ON)
    model = model_of(config, 0.9)
    assert not model.head.temperature.requires_grad
    loaded = load_model(export_model(model, config))
    assert float(loaded.head.temperature) == pytest.approx(0.9)
    dataset = open_dataset(prepared(), VOCAB)
    one = brisk(ON)
    scores = [score_windows(model_of(one, t).float(), dataset, one, 12, World.single()).total().bpb for t in (1.0, 0.9)]
    assert scores[0] != scores[1]


def test_it_is_fitted_on_a_training_loader_within_the_time_alone() -> None:
    config = brisk(ON)
    model = model_of(config)
    with Clock().phase("calibrate") as phase, pytest.raises(TypeError, match="windows of a training loader, not on CountingLoader"):
        fit_temperature(model, CountingLoader(config), config, phase, World.single())  # type: ignore[arg-type]
    at = iter(range(1000))
    with Clock(lambda: float(next(at))).phase("calibrate", 1e-9) as phase, pytest.raises(UserError, match="export.reserve_seconds"):
        fit_temperature(model, TrainingWindows(Loader(config), config), config, phase, World.single())


def test_a_run_tells_its_temperature(tmp_path: Path) -> None:
    config = brisk(ON, "ttt.epochs=1", "run.budget_seconds=300", "export.reserve_seconds=100")
    run_seed(with_seed(config, 3, config.data.path), "# script", tmp_path, World.single())
    model = load_model((tmp_path / "model_seed3.pgolf").read_bytes())
    told = [line for line in (tmp_path / "train_seed3.log").read_text(encoding="utf-8").splitlines() if "temperature:" in line]
    found = [float(line.rpartition("temperature:")[2]) for line in told if "model.head" not in line]
    assert found == pytest.approx([float(model.head.temperature)])
