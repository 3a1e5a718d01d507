"""Every parameter has a role and one route into the artifact, whatever optimizer trains it."""

import pytest
import torch
from toys import random_model, small

from pgolf_ref.config import load_recipe, recipe_names
from pgolf_ref.config.rules import FAMILIES, ROLES, Rule, parsed, rules
from pgolf_ref.errors import ConfigError, UserError
from pgolf_ref.forecast import forecast
from pgolf_ref.model.gpt import GPT
from pgolf_ref.quant.artifact import export_model, load_model
from pgolf_ref.quant.container import read_container
from pgolf_ref.quant.routes import FLOAT8, HALF, KEPT, TERNARY, Form, Route, route
from pgolf_ref.registry import Role, registry


def routes(*overrides: str) -> dict[str, Route]:
    config = small(*overrides)
    return {name: route(entry, config) for name, entry in registry(GPT(config.model)).items()}


def test_the_configuration_knows_every_role_that_has_bits() -> None:
    assert set(ROLES) == {role.value for role in Role} - {"vector"}
    assert {role for family in FAMILIES.values() for role in family} <= set(ROLES)


@pytest.mark.parametrize("name", recipe_names())
def test_every_parameter_of_a_recipe_has_a_route(name: str) -> None:
    """Only matrices, tables, heads and gates are anything but kept, and all but gates always are."""
    config = load_recipe(name)
    with torch.device("meta"):
        entries = registry(GPT(config.model)).values()
    for entry in entries:
        kept = entry.role in (Role.VECTOR, Role.GATE)
        assert (route(entry, config) == KEPT) == kept or entry.role is Role.GATE


def test_roles_follow_from_what_a_parameter_does() -> None:
    config = small("model.attention.gate=dense", "model.embedding.hash.rows=16", "model.tied=false")
    roles = {name: entry.role for name, entry in registry(GPT(config.model)).items()}
    assert roles["embedding.table"] is Role.EMBEDDING
    assert roles["embedding.ngrams.tables.0.table"] is Role.TABLE
    assert roles["embedding.ngrams.tables.0.projection"] is Role.PROJECTION
    assert roles["blocks.1.attention.gate.weight"] is Role.GATE
    assert roles["blocks.1.attention.value"] is Role.VALUE
    assert roles["blocks.1.mlp.down"] is Role.DOWN
    assert roles["head.weight"] is Role.HEAD
    assert roles["blocks.1.attention.gain"] is Role.VECTOR


def test_the_last_rule_that_fits_decides() -> None:
    found = routes("export.matrix_bits=6", "export.bits=['mlp=5', '0,2.attention=7', '2.key=16', 'down=32']")
    assert found["blocks.1.attention.key"] == Route(Form.INTEGER, 6)
    assert found["blocks.0.attention.key"] == Route(Form.INTEGER, 7)
    assert found["blocks.2.attention.key"] == HALF
    assert found["blocks.2.attention.out"] == Route(Form.INTEGER, 7)
    assert found["blocks.1.mlp.up"] == Route(Form.INTEGER, 5)
    assert found["blocks.1.mlp.down"] == KEPT
    assert found["embedding.table"] == Route(Form.INTEGER, 8)
    assert found["blocks.0.resid_mix"] == KEPT


def test_an_untied_head_has_the_bits_of_tables() -> None:
    found = routes("model.tied=false", "export.matrix_bits=5", "export.embedding_bits=7", "export.bits=['table=4']")
    assert found["head.weight"] == found["embedding.table"] == Route(Form.INTEGER, 7)


def test_a_rule_is_read_once() -> None:
    assert parsed("0,9.key=16") is parsed("0,9.key=16")
    assert parsed("all=0") == Rule("all", (), "0") and parsed("nothing=0") is None


def test_gates_are_kept_unless_a_rule_names_them() -> None:
    assert routes("model.attention.gate=dense")["blocks.0.attention.gate.weight"] == KEPT
    ruled = routes("model.attention.gate=bias", "export.bits=['gate=8']")
    assert ruled["blocks.0.attention.gate.weight"] == Route(Form.INTEGER, 8)
    assert ruled["blocks.0.attention.gate.bias"] == KEPT


def test_floats_and_ternary_blocks() -> None:
    found = routes("export.float8=true", "model.ternary_group=8", "export.bits=['0.query=16']")
    assert found["embedding.table"] == FLOAT8
    assert found["blocks.0.attention.parametrizations.query.original"] == TERNARY


def test_an_artifact_of_every_form_gives_back_the_rounded_weights() -> None:
    """Half floats are those of the weights, kept ones the weights, and exporting again gives the same bytes."""
    config = small("model.attention.gate=dense", "export.bits=['attention=6', 'mlp=5', 'gate=8', '1.key=16', 'out=32']")
    model = random_model(config)
    data = export_model(model, config)
    arrays, _ = read_container(data)
    loaded = load_model(data)
    assert export_model(loaded, config) == data
    weights, read = dict(model.named_parameters()), dict(loaded.named_parameters())
    key, out = "blocks.1.attention.key", "blocks.1.attention.out"
    assert torch.equal(read[key], weights[key].half().float())
    assert torch.equal(read[out], weights[out].float())
    assert abs(arrays["blocks.0.mlp.up:codes"]).max() == 15
    assert abs(arrays["blocks.0.attention.query:codes"]).max() == 31
    assert abs(arrays["blocks.0.attention.gate.weight:codes"]).max() == 127


def test_a_weight_beyond_float16_is_told() -> None:
    config = small("export.bits=['key=16']")
    model = random_model(config)
    with torch.no_grad():
        model.blocks[0].attention.key[0, 0] = 1e6
    with pytest.raises(UserError, match="cannot be exported"):
        export_model(model, config)


def test_fewer_bits_make_a_smaller_forecast() -> None:
    sizes = [forecast(load_recipe("naive", [f"export.bits=['mlp={bits}']"])).artifact_bytes for bits in (4, 6, 8, 16, 32)]
    assert sizes == sorted(sizes) and len(set(sizes)) == len(sizes)


@pytest.mark.parametrize("rule", ["mlp", "mlp=9", "nothing=6", "0,.mlp=6", "x.mlp=6", "vector=8", "all=8"])
def test_what_is_no_rule_is_told(rule: str) -> None:
    with pytest.raises(ConfigError, match="must read ROLE=VALUE"):
        small(f"export.bits=['{rule}']")


def test_spaces_in_rules_do_not_matter() -> None:
    assert rules(["0, 2 . mlp = 6"]) == rules(["0,2.mlp=6"])
