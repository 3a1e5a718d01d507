"""One configuration: read whole, refused whole, with every problem named."""

import dataclasses
import json
from pathlib import Path

import pytest

from pgolf_ref.config import Config, DataConfig, ModelConfig, from_dict, load_recipe, recipe_names, to_dict, values_by_name
from pgolf_ref.errors import ConfigError, UserError


@pytest.mark.parametrize("name", recipe_names())
def test_shipped_recipes_load_and_survive_a_round_trip(name: str) -> None:
    config = load_recipe(name)
    assert from_dict(to_dict(config)) == config


def test_naive_is_the_default_model() -> None:
    assert load_recipe("naive").model == ModelConfig()


def test_overrides_keep_types() -> None:
    config = load_recipe("tiny", ["optim.matrix_lr=1", "model.tied=false", "data.path=/some/where", "run.steps = 7"])
    assert (config.optim.matrix_lr, config.model.tied, config.data.path, config.run.steps) == (1.0, False, "/some/where", 7)
    assert type(config.optim.matrix_lr) is float


def test_every_problem_is_reported_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        load_recipe("tiny", ["model.heads=0", "optim.beta1=1.5", "export.matrix_bits=9"])
    assert [problem.split()[0] for problem in caught.value.problems] == ["model.heads", "optim.beta1", "export.matrix_bits"]


def test_unknown_names_bad_types_and_bad_values_are_told_together() -> None:
    """One answer; a value that is refused breaks no rule a second time by its default."""
    overrides = ["steps=3", "optim.matrix_rl=1", "model.heads=many", "optim.beta1=1.5", "export.bits=['mlp=9']", "losses.focal=-1"]
    with pytest.raises(ConfigError) as caught:
        load_recipe("tiny", overrides)
    told = [problem.split()[0] for problem in caught.value.problems]
    assert told == ["override", "model.heads", "unknown", "optim.beta1", "export.bits:", "losses.focal"]
    with pytest.raises(ConfigError) as caught:
        load_recipe("tiny", ["optim.matrix_rl=1", "model.heads=many", "model.dim=130", "data.batch_tokens=1000"])
    told = [problem.split()[0] for problem in caught.value.problems]
    assert told == ["model.heads", "unknown", "data.batch_tokens"]


def test_values_that_do_not_go_together_are_told_together() -> None:
    with pytest.raises(ConfigError) as caught:
        load_recipe("tiny", ["model.dim=130", "model.block.mlp_widths=[8]", "evaluate.stride=9999", "optim.adam_blocks=[7]"])
    told = [problem.split()[0] for problem in caught.value.problems]
    assert told == ["model.dim", "model.block.mlp_widths", "optim.adam_blocks", "evaluate.stride", "ttt.chunk_tokens"]


def test_relations_between_values() -> None:
    with pytest.raises(ConfigError) as caught:
        Config(model=ModelConfig(dim=510, heads=8), data=DataConfig(batch_tokens=1000))
    text = str(caught.value)
    assert "model.dim (510) must be a multiple of model.heads (8)" in text
    assert "data.batch_tokens (1000) must be a multiple of data.slots * data.seq_len (8192)" in text


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("optim.matrix_rl=1", "did you mean optim.matrix_lr"),
        ("modle.dim=1", "did you mean model"),
        ("run.steps=ten", "run.steps must be of type int, not 'ten'"),
        ("run.steps=1.5", "run.steps must be of type int"),
        ("model.tied=1", "model.tied must be of type bool"),
        ("steps=3", "must read table.name=value"),
        ("run.steps", "must read table.name=value"),
        ("run.device=tpu", "run.device must be one of auto, cpu, cuda"),
        ("optim.eps=nan", "optim.eps must be positive"),
        ("model.dim.wide=3", "model.dim must be of type int, not {'wide': 3}"),
        ("model.embedding=3", "model.embedding must be a table of values, not 3"),
        ("model.embedding.hash.row=3", "did you mean model.embedding.hash.rows"),
        ("model.embedding.hash.orders=3", "model.embedding.hash.orders must be a list of type int, not 3"),
        ("model.embedding.hash.orders=[2.5]", "model.embedding.hash.orders must be a list of type int"),
    ],
)
def test_bad_overrides_are_explained(override: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message.replace("(", r"\(")):
        load_recipe("tiny", [override])


def test_tables_within_tables_come_back() -> None:
    config = load_recipe("tiny", ["model.embedding.hash.rows=64", "model.embedding.hash.orders=[2, 3]", "model.head.bias=true"])
    assert config.model.embedding.hash.orders == (2, 3) and config.model.head.bias
    assert from_dict(json.loads(json.dumps(to_dict(config)))) == config
    named = dict(values_by_name(to_dict(config)))
    assert named["model.embedding.hash.rows"] == 64 and named["run.steps"] == config.run.steps


def test_recipe_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text("[model]\nlayers = 2\n", encoding="utf-8")
    assert load_recipe(str(path)).model == dataclasses.replace(ModelConfig(), layers=2)


@pytest.mark.parametrize(("content", "message"), [("[model\n", "not valid TOML"), ("model = 3\n", "model must be a table")])
def test_broken_recipe_files_are_explained(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "own.toml"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(UserError, match=message):
        load_recipe(str(path))


def test_unknown_recipe_names_the_known_ones() -> None:
    with pytest.raises(UserError, match="no recipe 'huge': give one of caseops, naive, "):
        load_recipe("huge")
