"""Every recipe: its size in full, and twenty steps of training in small."""

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
import torch
from toys import CountingLoader, toy_vocabulary, weights

from pgolf_ref import log
from pgolf_ref.cli import DONE, FAILED, main
from pgolf_ref.clock import Clock
from pgolf_ref.config import Config, load_recipe, read_recipe, recipe_names, to_dict
from pgolf_ref.config.scale import tiny
from pgolf_ref.distributed import World
from pgolf_ref.errors import ConfigError, UserError
from pgolf_ref.forecast import forecast
from pgolf_ref.losses.objective import Objective
from pgolf_ref.optim.freezing import Freezer
from pgolf_ref.optim.groups import Optimizers
from pgolf_ref.registry import Group, in_group, registry
from pgolf_ref.train import build_model, build_objective, train

PUBLISHED = {
    "naive": 17_059_912,
    "pr1218": 34_401_371,
    "sp8192": 35_944_536,
    "pr1736": 35_989_658,
    "caseops": 35_945_671,
}
CATALOGUE = Path(__file__).parents[2] / "bench" / "experiments.toml"
EXPERIMENTS = [e for e in tomllib.loads(CATALOGUE.read_text(encoding="utf-8"))["experiment"] if "set" in e]
ACTUAL_BYTES = {
    "naive": 15_815_847,
    "p3a": 15_406_693,
    "pr375": 15_525_821,
    "pr562": 15_283_937,
    "pr756": 15_806_296,
    "pr1186": 16_124_351,
    "pr1218": 15_847_937,
    "sp8192": 15_976_087,
    "parallel": 15_958_291,
    "pr1736": 15_947_095,
    "caseops": 15_869_919,
    "ternary": 15_920_000,
}
"""Of the models in the logs of the sources, means of their seeds; of p3a the run of PR 623 on eight GPUs, of pr756 PR 1019."""


def in_small(name: str, *overrides: str) -> Config:
    """A recipe at its tiny scale with a smaller vocabulary."""
    return tiny(load_recipe(name, ["model.vocab_size=64", *overrides]))


@pytest.mark.parametrize("name", recipe_names())
def test_a_recipe_builds_in_full_and_trains_in_small(name: str) -> None:
    parameters = forecast(load_recipe(name)).parameters
    assert parameters == PUBLISHED.get(name, parameters) > 0
    config = in_small(name)
    trained = train(config, CountingLoader(config), Clock(), log.silent(), vocabulary=toy_vocabulary(64))
    assert trained.steps == 20
    assert trained.model.plan == trained.model.phases[-1].steps
    assert all(torch.isfinite(parameter).all() for parameter in trained.model.parameters())


@pytest.mark.parametrize("name", recipe_names())
def test_every_parameter_of_a_recipe_gets_a_gradient(name: str) -> None:
    """Within three steps, with every phase on from the first."""
    config = in_small(name, "run.dtype=float64")
    model = build_model(config, torch.device("cpu"))
    model.use_vocabulary(toy_vocabulary(64))
    objective = build_objective(model, config)
    loader, learnt = CountingLoader(config), set[str]()
    for step in range(3):
        objective(*loader.batch(step, 0), torch.zeros(())).backward()
        learnt |= _follow_the_gradient(objective)
    assert learnt == {name for name, parameter in objective.named_parameters() if parameter.requires_grad}
    assert set(registry(objective)) == {name for name, _ in objective.named_parameters()}


def _follow_the_gradient(objective: Objective) -> set[str]:
    """Names of the parameters with a gradient; each is moved along it, and the gradients are taken away."""
    found = set()
    for name, parameter in objective.named_parameters():
        if parameter.grad is not None and parameter.grad.abs().max() > 0:
            found.add(name)
            with torch.no_grad():
                parameter.sub_(parameter.grad.sign(), alpha=1e-3)
        parameter.grad = None
    return found


@pytest.mark.parametrize("name", sorted(ACTUAL_BYTES))
def test_the_size_forecast_is_near_the_published_size(name: str) -> None:
    assert forecast(load_recipe(name)).artifact_bytes == pytest.approx(ACTUAL_BYTES[name], rel=0.05)


@pytest.mark.parametrize("name", recipe_names())
def test_every_parameter_of_a_recipe_is_trained_by_one_optimizer(name: str) -> None:
    """Each is in one group and moves by one step of it; constants are in no optimizer."""
    config = in_small(name, "run.dtype=float64")
    model = build_model(config, torch.device("cpu"))
    grouped = [id(parameter) for group in Group for parameter in in_group(model, group)]
    assert sorted(grouped) == sorted(id(parameter) for parameter in model.parameters())
    optimizers, before = Optimizers(model, config.optim, World.single()), weights(model)
    for parameter in model.parameters():
        parameter.grad = torch.randn_like(parameter)
    state = optimizers.state_dict()
    optimizers.step(1.0, 0.9)
    moved = {name for (name, p), old in zip(model.named_parameters(), before, strict=True) if not torch.equal(p, old)}
    entries = registry(model).values()
    assert moved == {entry.name for entry in entries if entry.group is not Group.CONSTANT}
    trained = sum(entry.count for entry in entries if entry.group is not Group.CONSTANT)
    assert sum(tensor.numel() for name, tensor in state.items() if ".mean." in name or ".momentum." in name) == trained


@pytest.mark.parametrize("name", recipe_names())
def test_freezing_a_block_of_a_recipe_freezes_all_its_tensors(name: str) -> None:
    config = in_small(name)
    model = build_model(config, torch.device("cpu"))
    for block in range(config.model.layers):
        before = weights(model)
        with Freezer(model).held(range(block, block + 1)), torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(1.0)
        still = {name for (name, p), old in zip(model.named_parameters(), before, strict=True) if torch.equal(p, old)}
        assert still == {f"blocks.{block}.{name}" for name, _ in model.blocks[block].named_parameters()}


def test_the_records_of_april_adapt_to_each_document() -> None:
    """PR 1736 and PR 1855: low-rank adapters per document between phases of the weights, nothing of it assumed away."""
    earlier, later = (read_recipe(name) for name in ("pr1736", "caseops"))
    assert (earlier.config.ttt.lora.rank, earlier.config.ttt.phases) == (96, (666, 1333, 2000))
    lora = later.config.ttt.lora
    assert (lora.rank, lora.alpha, lora.chunk_tokens, lora.beta2, lora.weight_decay) == (80, 144.0, 48, 0.99, 0.5)
    assert later.config.ttt.phases == (833, 1666, 2500)
    assert not any("in the place of" in text for text in (*earlier.assumed, *later.assumed))


def test_a_tiny_recipe_keeps_every_switch() -> None:
    """Texts, truth values and whether a number is zero are those of the recipe, but for the machine and the length."""
    full, small = (to_dict(config)["model"] for config in (load_recipe("caseops"), tiny(load_recipe("caseops"))))

    def switches(table: dict[str, object]) -> dict[str, object]:
        return {
            name: switches(value) if isinstance(value, dict) else value if isinstance(value, str | bool) else bool(value)
            for name, value in table.items()
        }

    assert switches(full) == switches(small)


def test_recipes_inherit_values_and_assumptions_but_no_source() -> None:
    child, parent = read_recipe("parallel"), read_recipe("sp8192")
    assert child.config.model.recurrence == parent.config.model.recurrence
    assert child.source == "PR 1529"
    assert set(parent.assumed) <= set(child.assumed)


def test_a_recipe_that_extends_itself_is_told(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text(f'extends = "{path}"\n', encoding="utf-8")
    with pytest.raises(UserError, match="extends itself"):
        read_recipe(str(path))


def test_the_list_tells_what_is_known_of_each_recipe(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["recipes", "--format", "json"]) == DONE
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert set(rows) == set(recipe_names())
    assert all(row["source"] and row["published"] and row["artifact_bytes"] for name, row in rows.items() if name != "tiny")
    assert rows["naive"]["assumed"] == [] and rows["caseops"]["assumed"]


def test_assumptions_have_to_be_accepted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--recipe", "caseops", "--out", str(tmp_path / "out")]) == FAILED
    assert "--accept-assumptions" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_dry_run_tells_plan_and_sizes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--recipe", "sp8192", "--out", str(tmp_path / "out"), "--dry-run"]) == DONE
    told = capsys.readouterr().out
    assert "plan from 0.35 of the run: 0 1 2 3 4 5 3 4 | 5+7 3+6 4+5 5+4 6+3 7+2 8+1 9+0 10" in told
    assert "parameters: 35,944,536" in told
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["semantic_attention", "dual-word-attention", "pooled_retrieval", "newSota"])
def test_names_without_a_description_are_refused(name: str) -> None:
    with pytest.raises(UserError, match="unspecified in the sources"):
        load_recipe(name)
    with pytest.raises(UserError, match="unspecified in the sources"):
        load_recipe("tiny", [f"model.attention.{name}=true"])


@pytest.mark.parametrize(
    ("override", "complaint"),
    [
        ("model.recurrence.loops=2", "starts must|first must"),
        ("model.recurrence.sequence=[1, 0]", "from block 0 on"),
        ("model.recurrence.sequence=[0, 1, 1]", "must use every block"),
        ("model.recurrence.film=true", "loops must be positive"),
        ("model.block.mlp_widths=[8]", "one number per block"),
        ("model.block.parallel=sideways", "must be one of none, gptj"),
        ("model.block.drop_attention=[9]", "name distinct blocks"),
        ("model.attention.rope_dims=3", "must be even"),
        ("model.attention.max_document=3", "needs model.attention.documents"),
        ("model.attention.xsa_last=99", "at most model.layers"),
    ],
)
def test_impossible_models_are_refused(override: str, complaint: str) -> None:
    extra = ["model.recurrence.last=9"] if "loops" in override else []
    with pytest.raises(ConfigError, match=complaint):
        load_recipe("tiny", [override, *extra])


@pytest.mark.parametrize("experiment", EXPERIMENTS, ids=lambda e: f"{e['number']}-{e['name']}")
def test_an_experiment_is_a_few_overrides_of_its_recipe(experiment: dict[str, Any]) -> None:
    """It differs from the recipe, builds in full, and computes a finite loss in small."""
    full = load_recipe(experiment["recipe"], experiment["set"])
    assert full != load_recipe(experiment["recipe"])
    assert forecast(full).parameters > 0
    config = in_small(experiment["recipe"], *(item for item in experiment["set"] if "vocab_size" not in item))
    model = build_model(config, torch.device("cpu"))
    model.use_vocabulary(toy_vocabulary(64))
    with torch.no_grad():
        loss = build_objective(model, config)(*CountingLoader(config).batch(0, 0), torch.zeros(()))
    assert torch.isfinite(loss)
