"""bench/TECHNIQUES.md: complete, up to date, and true of the code that it names."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path

import pytest
import techniques

from pgolf_ref.config import Config, to_dict
from pgolf_ref.config.stated import values_by_name

PACKAGE = Path(__file__).parents[2] / "pgolf_ref"
ROWS = techniques.techniques()
FIELDS = {name for name, _ in values_by_name(to_dict(Config()))}
SHAPE = {"model.layers", "model.dim", "model.vocab_size"}
"""Fields of no technique: sizes."""


def test_the_page_is_up_to_date() -> None:
    assert techniques.PAGE.read_text(encoding="utf-8") == techniques.page()


def test_no_row_of_the_specification_is_absent() -> None:
    assert Counter(row["section"] for row in ROWS) == {"1.1": 19, "1.2": 19, "1.3": 26, "1.4": 21, "1.5": 20, "1.6": 14}
    assert len({(row["section"], row["name"]) for row in ROWS}) == len(ROWS)
    assert {e["number"] for e in techniques.experiments()} >= set(range(1, 123))


def test_every_row_has_code_or_says_what_is_missing() -> None:
    silent = [row["name"] for row in ROWS if not (row.get("code") or row.get("unspecified"))]
    assert silent == []
    undone = [e["number"] for e in techniques.experiments() if not (e.get("set") or e.get("unspecified"))]
    assert undone == []


TOGGLES = {
    5: {"export.awq", "export.calibration_rows", "optim.newton_schulz_steps", "run.validate_every"},
    14: {"export.awq"},
    15: {"export.awq"},
    18: {"model.embedding.hash.heads"},
    43: {"export.bits"},
    47: {"export.bits"},
    48: {"export.bits"},
    49: {"export.bits", "ttt.epochs"},
    53: {"optim.plateau", "model.attention.value_residual"},
    71: {"export.row_clamp"},
    77: {"export.scales", "optim.warmdown_after", "model.attention.x0_value"},
    79: {"curriculum.unfreeze", "optim.adam_blocks", "optim.adam_roles", "model.embedding.init"},
    86: {"optim.banked", "optim.qat_from"},
    94: {"meta.every", "ttt.epochs", "ttt.lr_scales"},
    97: {"meta.sam_rho", "meta.scales_lr", "meta.gain_weight"},
    98: {"meta.outer_weight", "meta.gain_weight"},
    101: {"model.recurrence.loops", "model.recurrence.pass_embedding"},
    115: {"curriculum.slots", "losses.mtp_heads", "model.block.drop_mlp"},
    120: {"export.clips", "ttt.lr_scales", "model.block.parallel_from", "model.embedding.dim"},
}
"""What an experiment of several changes must set at least."""


@pytest.mark.parametrize("number", TOGGLES)
def test_an_experiment_has_every_toggle_that_has_a_field(number: int) -> None:
    (experiment,) = (e for e in techniques.experiments() if e["number"] == number)
    assert {techniques.field_of(item) for item in experiment["set"]} >= TOGGLES[number]


def test_experiments_have_whole_names() -> None:
    """As the sources index them: letters first, no bracket that is not opened, none twice."""
    names = [e["name"] for e in techniques.experiments() if e["number"] <= 122 and e["number"] != 75]
    assert [name for name in names if name.count("(") != name.count(")") or name.isdecimal()] == []
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row['section']}-{row['name']}")
def test_fields_and_code_exist(row: techniques.Row) -> None:
    assert {techniques.field_of(item) for item in row.get("fields", ())} <= FIELDS
    for place in row.get("code", ()):
        path, _, name = place.partition(":")
        tree = ast.parse((PACKAGE / path).read_text(encoding="utf-8"))
        assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)}, place


def test_every_field_of_the_configuration_belongs_to_a_technique() -> None:
    told = {techniques.field_of(item) for row in ROWS for item in row.get("fields", ())}
    machine = {field for field in FIELDS if field.startswith("run.") or field in ("data.path", "data.tokenizer")}
    assert FIELDS - told - machine == SHAPE


def test_an_experiment_leads_to_code() -> None:
    for experiment in techniques.experiments():
        untold = ("run.", *SHAPE)
        overrides = [item for item in experiment.get("set", ()) if not item.startswith(untold)]
        assert all(techniques.code_of([item], ROWS) for item in overrides), experiment
